"""The contract as a document: flask-smorest with our problem documents, ids and security schemes."""

from typing import Any

import orjson
import yaml
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api
from marshmallow import Schema

from app.kit.http import http_problem
from app.kit.routes import PidConverter, ProblemSchema

OPENAPI: dict[str, Any] = {
    "API_TITLE": "Glovebox",
    "API_VERSION": "1.0.0",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,
}
_ABOUT = """Lend your car to people you know. JSON under `/v1`; errors are problem documents (RFC 9457); instants are
RFC 3339 in UTC; amounts are minor units; lists are pages with a cursor; POST and PUT take an `Idempotency-Key`."""


def _name(schema: type[Schema] | Schema) -> str | None:
    """Each schema has the name of its class; a problem document is called Problem."""
    cls = schema if isinstance(schema, type) else type(schema)
    return "Problem" if cls is ProblemSchema else cls.__name__


class Contract(Api):
    """flask-smorest's Api, answering in our form."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_name)
        info = {
            "description": _ABOUT,
            "license": {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"},
            "contact": {"name": "Glovebox", "url": "https://glovebox.example/developers"},
        }
        super().__init__(
            app,
            spec_kwargs={
                "marshmallow_plugin": plugin,
                "info": info,
                "servers": [{"url": "https://api.glovebox.example", "description": "Production"}],
            },
        )
        self.register_converter(PidConverter, _pid)
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT (RFC 8725)"}
        self.spec.components.security_scheme("person", {**bearer, "description": "A person's access token."})
        self.spec.components.security_scheme(
            "partner", {**bearer, "description": "An insurer client's token, with scopes."}
        )

    def handle_http_exception(self, error: Any) -> Any:
        return http_problem(error)

    def _register_responses(self) -> None:
        """No default responses: every route names its own."""


def _pid(converter: PidConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{converter.regex}$", "maxLength": len(converter.prefix) + 33}


def document(app: Flask) -> str:
    """openapi.yaml as text."""
    contract: Contract = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    spec = orjson.loads(orjson.dumps(contract.spec.to_dict(), option=orjson.OPT_NON_STR_KEYS))
    _tidy(spec)
    text: str = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=120)
    return text


def _tidy(spec: dict[str, Any]) -> None:
    """Every object answers only what it names, every answer says 500 the same way."""
    for schema in spec.get("components", {}).get("schemas", {}).values():
        schema.pop("additionalProperties", None)
