"""What may come in: one strict reading of bodies, queries and Accept, so that nothing odd reaches a use case."""

import functools
import json
import math
import unicodedata
from typing import Any

from flask import Request, request
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, NotAcceptable
from werkzeug.http import parse_accept_header

from app.kit.errors import Malformed, Validation
from app.kit.fields import Query

MAX_BODY, MAX_DEPTH, MAX_DIGITS = 64 * 1024, 20, 18
_DEEP = f"The body is nested deeper than {MAX_DEPTH} levels."


class UnsupportedBody(HTTPException):
    """The body is not application/json."""

    code = 415
    description = "Send application/json."


def read_json(req: Request) -> Any:
    """The body as JSON: one UTF-8 document, no doubled keys, 20 levels and 18 digits at most; anything else is 400."""
    try:
        text = req.get_data(cache=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8.") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_no_doubles,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise Malformed(_DEEP) from error
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from error
    _refuse_depth(value, 1)
    return value


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"The key {json.dumps(twice[:80])} is given twice.")
    return found


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise Malformed(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Malformed("A number is out of range.")
    return value


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not JSON.")


def _refuse_depth(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(_DEEP)
    if isinstance(value, dict):
        for one in value.values():
            _refuse_depth(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _refuse_depth(one, depth + 1)


class StrictParser(FlaskParser):
    """webargs with our JSON reader, our 422, and each query parameter once."""

    DEFAULT_VALIDATION_STATUS = 422
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": "raise", "query": "raise"}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        del schema
        if not req.is_json:
            raise UnsupportedBody
        value = read_json(req)
        if not isinstance(value, dict):
            raise Malformed("The body must be a JSON object.")
        return value

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        del schema
        twice = sorted(name for name, values in req.args.lists() if len(values) > 1)
        if twice:
            raise Validation(errors=[_wrong(name, "invalid", "Given more than once.") for name in twice[:50]])
        return Query(req.args.items())

    def handle_error(self, error: Any, req: Request, schema: Schema, **_: Any) -> Any:
        del req, schema
        raise Validation(errors=validation_errors(error.messages))


def refuse_query() -> None:
    """A route without parameters takes none."""
    if request.args:
        names = list(request.args)[:50]
        raise Validation(
            errors=[_wrong(name, "unknown", "This route has no such parameter.") for name in names]
        )


def refuse_body() -> None:
    """A route without fields takes no body, or an empty object."""
    if not request.get_data(cache=True):
        return
    if not request.is_json:
        raise UnsupportedBody
    value = read_json(request)
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    if value:
        errors = validation_errors({"json": {name: ["Unknown field."] for name in value}})
        raise Validation(errors=errors)


def require_acceptable(media: tuple[str, ...]) -> None:
    """406 when the caller wants none of what the route can answer in; no wish means the first."""
    if not _acceptable(request.headers.get("Accept", ""), media):
        raise NotAcceptable(f"This can be had as {' or '.join(media)}.")


@functools.lru_cache(maxsize=256)
def _acceptable(wish: str, media: tuple[str, ...]) -> bool:
    """A client wishes the same with each request, and reading it takes longer than knowing it."""
    wished = parse_accept_header(wish, MIMEAccept)
    return not wished or wished.best_match(media) is not None


def _wrong(parameter: str, code: str, detail: str) -> dict[str, str]:
    return {"parameter": sayable(parameter, 100), "code": code, "detail": detail}


def sayable(text: str, longest: int) -> str:
    """Caller's text as it can stand in an answer: no control characters, no lone surrogates, not too long."""
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cs") else char for char in text[:longest]
    )


def validation_errors(messages: dict[str, Any]) -> list[dict[str, str]]:
    """Marshmallow's tree of messages as a flat list: pointer (body) or parameter (query), code, detail."""
    errors: list[dict[str, str]] = []
    for location, tree in messages.items():
        for path, text in _flat(tree, ""):
            if location == "json":
                errors.append({"pointer": sayable(path or "/", 300), "code": _code(text), "detail": text})
            else:
                errors.append(_wrong(path.strip("/"), _code(text), text))
    return errors[:50]


def _flat(tree: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(tree, dict):
        out: list[tuple[str, str]] = []
        for key, value in tree.items():
            step = "" if key in ("_schema", "value") else "/" + str(key).replace("~", "~0").replace("/", "~1")
            out += _flat(value, path + step)
        return out
    if isinstance(tree, list):
        return [pair for one in tree for pair in _flat(one, path)]
    return [(path, str(tree)[:500])]


_CODES = {"Missing data for required field.": "required", "Unknown field.": "unknown"}


def _code(text: str) -> str:
    if text in _CODES:
        return _CODES[text]
    return "required" if "may not be null" in text else "invalid"
