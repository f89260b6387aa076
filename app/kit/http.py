"""HTTP as the contract has it: problem documents, pages, ETags, request ids; what may come in is in strict.py."""

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from flask.json.provider import JSONProvider
from marshmallow import Schema
from sqlalchemy import ColumnElement, Select
from sqlalchemy.exc import IntegrityError, StatementError
from werkzeug.exceptions import HTTPException

from app.kit import i18n, rate_limits
from app.kit.db import UNIQUE_VIOLATION, session, sqlstate
from app.kit.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    Validation,
)
from app.kit.strict import MAX_BODY

log = structlog.get_logger(__name__)
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


class App(Flask):
    """Flask, whose views and hooks are all plain functions: it would look at each of them with every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class OrjsonProvider(JSONProvider):
    """Answers are written by orjson."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        obj = self._prepare_response_obj(args, kwargs)
        return current_app.response_class(orjson.dumps(obj) + b"\n", mimetype="application/json")


# -- answering -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Answer:
    """What a view returns when it must say more than the body."""

    body: Any
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    """The body is JSON as the schema would have it: a long hot list is not worth being dumped field by field."""


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
    if status == 401:
        answer.headers.setdefault("WWW-Authenticate", "Bearer")
    return answer


def http_problem(error: HTTPException) -> Response:
    """An HTTP error of Flask's own (404 route, 405, 413 ...) as a problem document."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    code = error.code or 500
    if code == 404:
        return problem_response(NotFound())
    headers = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    return _problem(code, "about:blank", error.name, error.description, {}, headers)


def request_id() -> str:
    found: str = g.get("request_id") or str(uuid.uuid4())
    return found


_GIVEN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def begin_request() -> None:
    """Every request has an id: the caller's when it is a uuid, else a new one."""
    given = request.environ.get("HTTP_REQUEST_ID", "")
    found = given if _GIVEN_ID.fullmatch(given) else str(uuid.uuid4())
    g.request_id = found
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=found)


def end_request(answer: Response) -> Response:
    headers = answer.headers
    given = {name.lower() for name, _ in headers}
    own = {"Request-Id": request_id(), **rate_limits.headers(), "X-Content-Type-Options": "nosniff"}
    if "cache-control" not in given:
        own["Cache-Control"] = "no-store"
    if "content-security-policy" not in given:
        own["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    if current_app.extensions["glovebox"].settings.public_url.startswith("https://"):
        own["Strict-Transport-Security"] = "max-age=31536000"
    headers.extend(own)
    return answer


def install(app: Flask) -> None:
    """Put all of this into the app."""
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # a doubled slash is an unknown path, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.before_request(begin_request)
    app.after_request(end_request)
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(Exception, _bug)


def _bug(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return http_problem(error)
    session.rollback()
    known = _known(error)
    if known is not None:
        return problem_response(known)
    log.error("unexpected error", error=repr(error), exc_info=error)
    return _problem(500, "about:blank", "Internal Server Error", None, {}, {})


def _known(error: Exception) -> Problem | None:
    """Two refusals that only the database can make: an id of another shape, and the same thing made twice at once."""
    if isinstance(error, StatementError) and isinstance(error.orig, Problem):
        return error.orig
    if isinstance(error, IntegrityError) and sqlstate(error) == UNIQUE_VIOLATION:
        return AlreadyExists("It was made a moment ago by another request; read it again.")
    return None


# -- pages -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Page:
    """One page of a list, newest first."""

    items: Sequence[Any]
    next_cursor: str | None


def page(statement: Select[Any], key: ColumnElement[Any] | Any, *, limit: int, cursor: str | None) -> Page:
    """Read one page by its time-ordered key; rows that come later disturb no page."""
    if cursor:
        statement = statement.where(key < uncursor(cursor, _prefix(key)))
    rows = session.scalars(statement.order_by(key.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, to_cursor(getattr(items[-1], str(key.key))) if more else None)


def page_of_rows(
    rows: Sequence[Any], prefix: str, *, limit: int, cursor: str | None, oldest_first: bool = False
) -> Page:
    """One page of a short list that is in hand, in its order."""
    if cursor:
        place = uncursor(cursor, prefix)
        rows = [row for row in rows if (row.id > place if oldest_first else row.id < place)]
    items = rows[:limit]
    return Page(items, to_cursor(items[-1].id) if len(rows) > limit else None)


def _prefix(key: Any) -> str:
    """Ids of which kind a column holds; none for other columns."""
    found: str = getattr(key.type, "prefix", "")
    return found


def to_cursor(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()


CURSOR = re.compile(r"[a-z]{2,5}_[0-9a-f]{32}")


def uncursor(cursor: str, prefix: str = "", shape: re.Pattern[str] = CURSOR) -> str:
    """The key inside a cursor; one that we did not make, or made for a list of other things or order, is 422."""
    try:
        value = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        value = ""
    if not shape.fullmatch(value) or not value.startswith(prefix):
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
