"""How a route is registered: one helper says who may call it, what goes in and out, and writes the same into openapi.yaml."""

import functools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter

from app.kit import auth, idempotency, rate_limits
from app.kit.auth import Who
from app.kit.errors import (
    IdempotencyBusy,
    IdempotencyKeyReused,
    Malformed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    RateLimited,
    Unauthenticated,
    Validation,
)
from app.kit.fields import Many, OneOf, Strict, Text, Whole
from app.kit.http import PROBLEM_JSON, Answer, Page, StrictParser, etag_of

V = TypeVar("V", bound=Callable[..., Any])


class PidConverter(BaseConverter):
    """`<pid("car"):car>`: a public id of one kind; anything else is 404."""

    def __init__(self, url_map: Any, prefix: str) -> None:
        super().__init__(url_map)
        self.prefix = prefix
        self.regex = rf"{prefix}_[0-9a-f]{{32}}"


class FieldError(Strict):
    """What is wrong with one field or parameter."""

    pointer = Text(300, shortest=0)
    parameter = Text(100, shortest=0)
    code = Text(40)
    detail = Text(500)


class ProblemSchema(Schema):
    """RFC 9457, with the members of its type beside these."""

    type = fields.String(required=True, metadata={"format": "uri-reference", "maxLength": 100})
    title = Text(120, required=True)
    status = Whole(400, 599, required=True)
    detail = Text(1000)
    instance = fields.String(metadata={"format": "uri", "maxLength": 100})
    errors = Many(fields.Nested(FieldError), 50)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the guard tests ask of a route."""

    who: Who
    scope: str | None
    fresh_password: bool
    key_required: bool


RULES: dict[str, Rule] = {}
LIMIT_HEADERS: dict[str, Any] = {
    "RateLimit": {
        "description": "What is left of the limit.",
        "schema": {"type": "string", "maxLength": 100},
    },
    "RateLimit-Policy": {"description": "The limit.", "schema": {"type": "string", "maxLength": 100}},
    "Request-Id": {
        "description": "Names this request in our logs.",
        "schema": {"type": "string", "format": "uuid"},
    },
}
_RETRY = {
    "description": "Seconds to wait.",
    "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 86400},
}


class Routes(Blueprint):
    """A blueprint whose routes are all made by `add`."""

    ARGUMENTS_PARSER = StrictParser()

    def add(  # noqa: PLR0913
        self,
        method: str,
        path: str,
        *,
        summary: str,
        who: Who = Who.PERSON,
        body: type[Schema] | Schema | None = None,
        query: type[Schema] | None = None,
        returns: type[Schema] | Schema | None = None,
        status: int = 200,
        problems: tuple[type[Problem], ...] = (),
        key: bool = False,
        fresh_password: bool = False,
        scope: str | None = None,
        secrets: tuple[str, ...] = (),
        etag: bool = False,
        match: bool = False,
        limit: str | None = None,
        after: Callable[[Response], Response] | None = None,
    ) -> Callable[[V], V]:
        """Register `view(**path, body=, query=)`.

        `key`: Idempotency-Key is required (on any POST or PUT it is honoured). `match`: If-Match is required.
        `etag`: a GET of one thing. `secrets`: names shown once, null in a replay. `limit`: name of the settings' limit.
        `after`: what follows once the transaction is committed, on a replay too.
        """
        writes = method in ("POST", "PUT")
        rule = Rule(who, scope, fresh_password, key)

        def register(view: V) -> V:
            name = view.__name__
            step: Any = _keyword(view, body=body is not None, query=query is not None)
            step = _answer(step, returns, status, etag=etag)
            step = self.response(status, returns, headers=_headers(status))(step)
            if writes:
                step = _idempotent(step, rule, secrets)
            if after is not None:
                step = _then(step, after)
            if body is not None:
                step = self.arguments(body, location="json")(step)
            if query is not None:
                step = self.arguments(query, location="query")(step)
            step = _admit(step, rule, limit or _default_limit(who))
            step = self._document(step, name, summary, rule, problems, method, body is not None, match, etag)
            RULES[f"{self.name}.{name}"] = rule
            self.route(path, methods=[method], endpoint=name)(step)
            return view

        return register

    def _document(
        self,
        step: Any,
        name: str,
        summary: str,
        rule: Rule,
        problems: tuple[type[Problem], ...],
        method: str,
        has_body: bool,
        match: bool,
        etag: bool,
    ) -> Any:  # noqa: FBT001
        known: dict[int, list[type[Problem]]] = defaultdict(list)
        standard: list[type[Problem]] = [Malformed, Validation, RateLimited]
        if rule.who is not Who.ALL:
            standard.append(Unauthenticated)
        if "<" in name or method != "POST":
            standard.append(NotFound)
        if method in ("POST", "PUT"):
            standard += [IdempotencyBusy, IdempotencyKeyReused]
        if match:
            standard += [PreconditionFailed, PreconditionRequired]
        for one in (*standard, *problems):
            if one not in known[one.status]:
                known[one.status].append(one)
        for status, kinds in sorted(known.items()):
            step = self.alt_response(status, **_problem_doc(status, kinds))(step)
        step = self.alt_response(500, **_problem_doc(500, []))(step)
        if has_body:
            step = self.alt_response(413, **_problem_doc(413, []))(step)
            step = self.alt_response(415, **_problem_doc(415, []))(step)
        if etag:
            step = self.alt_response(304, description="Not modified", success=True)(step)
        security = {
            Who.ALL: [],
            Who.SIGNED: [],
            Who.PARTNER: [{"partner": [rule.scope] if rule.scope else []}],
        }
        described = {
            "operationId": name,
            "summary": summary,
            "security": security.get(rule.who, [{"person": []}]),
        }
        return self.doc(**described, parameters=_header_parameters(rule, method, match=match))(step)


def _keyword(view: Any, *, body: bool, query: bool) -> Any:
    """webargs hands values over by place, outermost first; ours go by name."""

    @functools.wraps(view)
    def call(*args: Any, **path: Any) -> Any:
        names = (["query"] if query else []) + (["body"] if body else [])
        return view(**path, **dict(zip(names, args, strict=True)))

    return call


def _answer(view: Any, returns: Any, status: int, *, etag: bool) -> Any:
    schema = returns() if isinstance(returns, type) else returns

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = view(*args, **kwargs)
        if isinstance(result, Response):
            return result
        answer = result if isinstance(result, Answer) else Answer(result)
        if schema is None or answer.body is None:
            made = current_app.response_class(status=answer.status or status)
        else:
            dumped = schema.dump(answer.body)
            made = current_app.json.response(dumped)
            made.status_code = answer.status or status
            if etag or request.method == "PATCH":
                made.set_etag(etag_of(dumped))
        made.headers.update(answer.headers)
        if etag:
            made.make_conditional(request)
        return made

    return call


def _idempotent(view: Any, rule: Rule, secrets: tuple[str, ...]) -> Any:
    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = idempotency.given_key(required=rule.key_required)
        if key is None:
            return view(*args, **kwargs)
        return idempotency.once(_scope(rule), key, lambda: view(*args, **kwargs), secrets)

    return call


def _then(view: Any, after: Callable[[Response], Response]) -> Any:
    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        return after(view(*args, **kwargs))

    return call


def _scope(rule: Rule) -> str:
    if rule.who in (Who.PERSON, Who.OPERATOR):
        return auth.caller().person
    if rule.who is Who.PARTNER:
        return auth.partner().client
    return f"address:{rate_limits.address()}"


def _default_limit(who: Who) -> str:
    return {Who.PERSON: "person", Who.OPERATOR: "person", Who.PARTNER: "partner"}.get(who, "address")


def _admit(view: Any, rule: Rule, limit: str) -> Any:
    """Who is it, may they ask again so soon, have they just given their password?"""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        house = current_app.extensions["glovebox"]
        subject = rate_limits.address()
        if rule.who is Who.PERSON:
            subject = auth.require_person(house.loaders).person
        elif rule.who is Who.OPERATOR:
            subject = auth.require_operator(house.loaders).person
        elif rule.who is Who.PARTNER:
            subject = auth.require_partner(house.loaders, rule.scope or "").client
        if limit != "none":
            rate_limits.allow(limit, subject, getattr(house.settings.limits, limit))
        if rule.fresh_password:
            auth.require_password()
        answer = view(*args, **kwargs)
        answer.headers.update(rate_limits.headers())
        return answer

    return call


def _headers(status: int) -> dict[str, Any]:
    if status == 201:  # noqa: PLR2004
        return {
            **LIMIT_HEADERS,
            "Location": {
                "description": "Where it is.",
                "schema": {"type": "string", "format": "uri-reference", "maxLength": 200},
            },
        }
    return dict(LIMIT_HEADERS)


def _problem_doc(status: int, kinds: list[type[Problem]]) -> dict[str, Any]:
    examples = {
        kind.slug: {
            "value": {
                "type": f"/problems/{kind.slug}",
                "title": kind.title,
                "status": kind.status,
                "instance": "urn:uuid:01970000-0000-7000-8000-000000000000",
            }
        }
        for kind in kinds
    }
    headers = dict(LIMIT_HEADERS)
    if status in (429, 503):
        headers["Retry-After"] = _RETRY
    description = "; ".join(kind.title for kind in kinds) or None
    return {
        "schema": ProblemSchema,
        "content_type": PROBLEM_JSON,
        "examples": examples or None,
        "headers": headers,
        "description": description,
    }


def _header_parameters(rule: Rule, method: str, *, match: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if method in ("POST", "PUT"):
        found.append(
            {
                "in": "header",
                "name": "Idempotency-Key",
                "required": rule.key_required,
                "description": "New for each intent; a repeat answers the same.",
                "schema": {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"},
            }
        )
    if match:
        found.append(
            {
                "in": "header",
                "name": "If-Match",
                "required": True,
                "description": "The ETag of the last GET.",
                "schema": {"type": "string", "maxLength": 100},
            }
        )
    return found


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """The schema of one page of a list."""
    made: type[Schema] = type(
        f"{name}Page",
        (Strict,),
        {
            "__doc__": f"A page of {name.lower()}s, newest first.",
            "items": Many(fields.Nested(item), 100, required=True),
            "next_cursor": Text(200, allow_none=True, required=True),
        },
    )
    return made


def patch_of(schema: type[Schema], *names: str) -> Schema:
    """The body of a PATCH: the named fields of a schema, none required."""
    base = schema()
    picked: dict[str, Any] = {}
    for name in names:
        one = base.fields[name]
        one.required = False
        one.load_default = fields.missing_ if hasattr(fields, "missing_") else one.load_default
        picked[name] = one
    made = type(
        f"{schema.__name__}Patch",
        (Strict,),
        {**picked, "__doc__": f"Changes to a {schema.__name__.lower()}."},
    )
    found: Schema = made()
    return found


def created(body: Any, location: str) -> Answer:
    """201 with its Location."""
    return Answer(body, 201, {"Location": f"/v1{location}"})


__all__ = ["OneOf", "Page", "PidConverter", "Routes", "created", "page_of", "patch_of"]
