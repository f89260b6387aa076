"""The contract as a document: flask-smorest with our problem documents, ids, examples and security schemes."""

import copy
from collections.abc import Callable
from typing import Any

import orjson
import yaml
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api
from marshmallow import Schema
from marshmallow.class_registry import get_class

from app.kit import described, examples, media, parameters, shapes
from app.kit.errors import BY_SLUG
from app.kit.http import http_problem
from app.kit.routes import RULES, PidConverter

OPENAPI: dict[str, Any] = {
    "API_TITLE": "Glovebox",
    "API_VERSION": "1.0.0",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,
}
_ABOUT = """Lend your car to people you know.

JSON under `/v1`. An error is a problem document (RFC 9457) whose `type` says what happened: see `/problems/{slug}`.
Instants are RFC 3339 and answered in UTC with milliseconds; amounts are minor units of their currency; a list is a page
with a cursor. Any POST or PUT takes an `Idempotency-Key`: an answer that had an effect is replayed for seven days.
A field or query parameter that is not named here is refused with 422. What one may not know of is 404.
Answers may gain members: ignore those you do not know."""


def _name(schema: type[Schema] | Schema) -> str:
    """Each schema has the name of its class, without the ending that only tells Python's classes apart."""
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__.removesuffix("Schema").removesuffix("Out")


class Contract(Api):  # type: ignore[misc]
    """flask-smorest's Api, answering in our form."""

    ERROR_SCHEMA = described.ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        self.docstrings: dict[str, str] = {}
        self.later: list[Callable[[], None]] = []
        info = {
            "description": _ABOUT,
            "license": {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"},
            "contact": {
                "name": "Glovebox",
                "url": "https://glovebox.example/developers",
                "email": "developers@glovebox.example",
            },
        }
        super().__init__(
            app,
            spec_kwargs={
                "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=self._remember),
                "info": info,
                "servers": [
                    {"url": "https://api.glovebox.example", "description": "Production", "x-internal": False}
                ],
            },
        )
        self.register_converter(PidConverter, _pid)
        self._components()

    def _remember(self, given: type[Schema] | Schema | str) -> str:
        schema = get_class(given) if isinstance(given, str) else given
        name, cls = _name(schema), schema if isinstance(schema, type) else type(schema)
        self.docstrings[name] = " ".join((cls.__doc__ or "").split())
        return name

    def _components(self) -> None:
        parts = self.spec.components
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        parts.security_scheme(
            "person", {**bearer, "description": "A person's access token, a JWT; RFC8725 is kept."}
        )
        flow = {"tokenUrl": "/oauth/token", "scopes": described.SCOPES}
        about = "An insurer client's token (RFC 6749, 4.4), a JWT; RFC8725 is kept."
        parts.security_scheme(
            "partner", {"type": "oauth2", "description": about, "flows": {"clientCredentials": flow}}
        )
        for name, header in described.HEADERS.items():
            parts.header(name, header)
        for slug, kind in BY_SLUG.items():
            parts.example(slug, {"value": _problem(f"/problems/{slug}", kind.title, kind.status)})
        for status, title in described.PLAIN.items():
            parts.example(str(status), {"value": _problem("about:blank", title, status)})

    def describe_routes(self) -> None:
        while self.later:
            self.later.pop(0)()

    def handle_http_exception(self, error: Any) -> Any:
        return http_problem(error)

    def _register_responses(self) -> None:
        """No default responses: every route names its own."""


def _problem(kind: str, title: str, status: int) -> dict[str, Any]:
    found = {"type": kind, "title": title, "status": status, "instance": f"urn:uuid:{examples.UUID}"}
    if kind == "/problems/validation":
        found["errors"] = [{"pointer": "/seats", "code": "invalid", "detail": "Must be at most 9."}]
    return found


def _pid(converter: PidConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{converter.regex}$", "maxLength": len(converter.prefix) + 33}


def as_dict(app: Flask) -> dict[str, Any]:
    """The contract as it stands in openapi.yaml."""
    contract: Contract = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    contract.describe_routes()
    spec = orjson.loads(orjson.dumps(contract.spec.to_dict(), option=orjson.OPT_NON_STR_KEYS))
    for name, schema in spec["components"]["schemas"].items():
        if contract.docstrings.get(name):
            schema.setdefault("description", contract.docstrings[name])
    _other_forms(spec)
    parameters.tidy(spec)
    shapes.split(spec)
    examples.fill(spec)
    shapes.share_answers(spec)
    shapes.drop_unused_examples(spec)
    return shapes.in_order(spec)


def _other_forms(spec: dict[str, Any]) -> None:
    """What an answer can be besides JSON, where a route offers that."""
    rules = {name.partition(".")[2]: rule for name, rule in RULES.items()}
    for _, _, operation in shapes.operations(spec):
        rule = rules[operation["operationId"]]
        for form in rule.media:
            for status, answer in operation["responses"].items():
                if status < "300" and form in media.DESCRIBED and ("content" in answer or rule.is_file):
                    answer.setdefault("content", {})[form] = copy.deepcopy(media.DESCRIBED[form])


class _Plain(yaml.SafeDumper):
    """No anchors: every value is written out where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def document(app: Flask) -> str:
    """openapi.yaml as text."""
    text: str = yaml.dump(as_dict(app), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return text
