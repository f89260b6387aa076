"""HTTP as the contract has it: strict JSON in, problem documents out, pages, ETags, request ids."""

import base64
import hashlib
import json
import math
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import JSONProvider
from marshmallow import Schema
from sqlalchemy import ColumnElement, Select
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

from app.kit import i18n
from app.kit.db import session
from app.kit.errors import Malformed, PreconditionFailed, PreconditionRequired, Problem, Validation

log = structlog.get_logger(__name__)
MAX_BODY, MAX_DEPTH, MAX_DIGITS = 64 * 1024, 20, 18
PROBLEM_JSON = "application/problem+json"


class OrjsonProvider(JSONProvider):
    """Answers are written by orjson."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        obj = self._prepare_response_obj(args, kwargs)
        return current_app.response_class(orjson.dumps(obj) + b"\n", mimetype="application/json")


# -- reading ---------------------------------------------------------------------------------------------------------


def read_json(req: Request) -> Any:
    """The body as JSON: one UTF-8 document, no doubled keys, 20 levels at most; anything else is 400."""
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
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from error
    _refuse_depth(value, 1)
    return value


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"The key {json.dumps(twice)} is given twice.")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
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
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, dict):
        for one in value.values():
            _refuse_depth(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _refuse_depth(one, depth + 1)


class StrictParser(FlaskParser):
    """webargs with our JSON reader and our 422."""

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

    def handle_error(self, error: Any, req: Request, schema: Schema, **_: Any) -> Any:
        del req, schema
        messages = error.messages
        raise Validation(errors=validation_errors(messages))


class UnsupportedBody(HTTPException):
    """The body is not application/json."""

    code = 415
    description = "Send application/json."


def validation_errors(messages: dict[str, Any]) -> list[dict[str, str]]:
    """marshmallow's tree of messages as a flat list: pointer (body) or parameter (query), code, detail."""
    errors: list[dict[str, str]] = []
    for location, tree in messages.items():
        for path, text in _flat(tree, ""):
            where = {"pointer": path or "/"} if location == "json" else {"parameter": path.strip("/")}
            errors.append({**where, "code": _code(text), "detail": text})
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
    return [(path, str(tree))]


_CODES = {"Missing data for required field.": "required", "Unknown field.": "unknown"}


def _code(text: str) -> str:
    if text in _CODES:
        return _CODES[text]
    return "required" if "may not be null" in text else "invalid"


# -- answering -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Answer:
    """What a view returns when it must say more than the body."""

    body: Any
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


def problem_response(problem: Problem) -> Response:
    """The RFC 9457 document of a refusal, its title in the reader's language."""
    return _problem(
        problem.status,
        f"/problems/{problem.slug}",
        i18n.title(problem.slug, problem.title),
        problem.detail,
        problem.members,
        problem.headers,
    )


def _problem(
    status: int, kind: str, title: str, detail: str | None, members: dict[str, Any], headers: dict[str, str]
) -> Response:
    body: dict[str, Any] = {"type": kind, "title": title, "status": status}
    if detail:
        body["detail"] = detail
    body["instance"] = f"urn:uuid:{request_id()}"
    body.update(members)
    answer = current_app.response_class(orjson.dumps(body), status=status, mimetype=PROBLEM_JSON)
    answer.headers.update(headers)
    answer.headers["Cache-Control"] = "no-store"
    if status == 401:  # noqa: PLR2004
        answer.headers.setdefault("WWW-Authenticate", "Bearer")
    return answer


def http_problem(error: HTTPException) -> Response:
    """An HTTP error of Flask's own (404 route, 405, 413 ...) as a problem document."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    code = error.code or 500
    kind = "/problems/not-found" if code == 404 else "about:blank"  # noqa: PLR2004
    headers = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    return _problem(code, kind, error.name, error.description, {}, headers)


def request_id() -> str:
    found: str = g.get("request_id") or str(uuid.uuid4())
    return found


_GIVEN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def begin_request() -> None:
    """Every request has an id: the caller's when it is a uuid, else a new one."""
    given = request.headers.get("Request-Id", "")
    g.request_id = given if _GIVEN_ID.fullmatch(given) else str(uuid.uuid4())
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def end_request(answer: Response) -> Response:
    answer.headers["Request-Id"] = request_id()
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if current_app.extensions["glovebox"].settings.public_url.startswith("https://"):
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    return answer


def install(app: Flask) -> None:
    """Put all of this into the app."""
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.before_request(begin_request)
    app.after_request(end_request)
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(Exception, _bug)


def _bug(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return http_problem(error)
    session.rollback()
    log.exception("unexpected error", error=repr(error))
    return _problem(500, "about:blank", "Internal Server Error", None, {}, {})


# -- pages -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Page:
    """One page of a list, newest first."""

    items: Sequence[Any]
    next_cursor: str | None


def page(statement: Select[Any], key: ColumnElement[Any] | Any, *, limit: int, cursor: str | None) -> Page:
    """Read one page by its time-ordered key; rows that come later disturb no page."""
    if cursor:
        statement = statement.where(key < uncursor(cursor))
    rows = session.scalars(statement.order_by(key.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, to_cursor(getattr(items[-1], key.key)) if more else None)


def to_cursor(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()


_CURSOR = re.compile(r"[a-z]{2,5}_[0-9a-f]{32}")


def uncursor(cursor: str) -> str:
    """The key inside a cursor; one that we did not make is 422."""
    try:
        value = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        value = ""
    if not _CURSOR.fullmatch(value):
        raise Validation(
            errors=[{"parameter": "cursor", "code": "invalid", "detail": "Not a cursor of this list."}]
        )
    return value


# -- ETags -----------------------------------------------------------------------------------------------------------


def etag_of(body: Any) -> str:
    """The strong ETag of a representation."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def require_match(schema: Schema, current: Any) -> None:
    """Refuse a change that was not made on the present state: 428 without If-Match, 412 when it is stale."""
    if not request.if_match:
        raise PreconditionRequired("Send If-Match with the ETag of the last GET.")
    if not request.if_match.contains(etag_of(schema.dump(current))):
        raise PreconditionFailed("Read it again and repeat your change.")
