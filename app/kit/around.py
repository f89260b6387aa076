"""What is put around a view: what it is given by name, what it answers, what is refused before it, what comes after it."""

import functools
from collections.abc import Callable
from typing import Any, cast

from flask import Response, current_app, request
from marshmallow import Schema

from app.kit import idempotency
from app.kit.admission import asker
from app.kit.described import Rule
from app.kit.http import Answer, etag_of
from app.kit.multipart import Form
from app.kit.multipart import read as read_form
from app.kit.strict import refuse_body, refuse_query, require_acceptable


def by_name(view: Any, rule: Rule) -> Any:
    """The parser hands values over by place, outermost first; ours go by name."""

    @functools.wraps(view)
    def call(*args: Any, **path: Any) -> Any:
        names = (["query"] if rule.has_query else []) + (["body"] if rule.has_body else [])
        return view(**path, **dict(zip(names, args, strict=True)))

    return call


def answering(view: Any, schema: Schema | None, status: int, *, etag: bool) -> Any:
    """What the view returns becomes a response: dumped by the schema, with its ETag, 304 where the caller has it."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = view(*args, **kwargs)
        if isinstance(result, Response):
            return _not_modified(result) if etag else result
        answer = result if isinstance(result, Answer) else Answer(result)
        if schema is None or answer.body is None:
            made: Response = current_app.response_class(status=answer.status or status)
            made.headers.pop("Content-Type", None)
        else:
            dumped = answer.body if answer.ready else schema.dump(answer.body)
            made = cast("Response", current_app.json.response(dumped))
            made.status_code = answer.status or status
            if etag or request.method == "PATCH":
                made.set_etag(etag_of(dumped))
        made.headers.update(answer.headers)
        return _not_modified(made) if etag and made.status_code == 200 else made

    return call


def instance(schema: type[Schema] | Schema) -> Schema:
    """One schema for all requests: of a class, the parser would make one for each."""
    return schema() if isinstance(schema, type) else schema


def _not_modified(answer: Response) -> Response:
    """304 when the caller has this state already. If-Match has no say in a GET."""
    tag, _ = answer.get_etag()
    if tag is None or not request.if_none_match.contains_weak(tag):
        return answer
    same: Response = current_app.response_class(status=304)
    del same.headers["Content-Type"]
    same.set_etag(tag)
    if "Cache-Control" in answer.headers:
        same.headers["Cache-Control"] = answer.headers["Cache-Control"]
    return same


def strict(view: Any, rule: Rule, *, answers: bool) -> Any:
    """Refuse what the route does not name: a query, a body, a media type it cannot answer in."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not rule.raw:
            if not rule.has_query:
                refuse_query()
            if rule.writes and not rule.has_body and not rule.has_form:
                refuse_body()
        if answers:
            require_acceptable(rule.media)
        return view(*args, **kwargs)

    return call


def with_form(view: Any, form: Form) -> Any:
    """The view is given the form that was sent."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        return view(*args, form=read_form(form), **kwargs)

    return call


def idempotent(view: Any, rule: Rule, secrets: tuple[str, ...]) -> Any:
    """With an Idempotency-Key the view runs once; a repeat gets the first answer, without its secrets."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = idempotency.given_key(required=rule.key_required)
        if key is None:
            return view(*args, **kwargs)
        return idempotency.once(asker(rule), key, lambda: view(*args, **kwargs), secrets)

    return call


def first(view: Any, guard: Callable[..., None]) -> Any:
    """The guard goes before the view, and before any transaction of it."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        guard(*args, **kwargs)
        return view(*args, **kwargs)

    return call


def then(view: Any, after: Callable[[Response], Response]) -> Any:
    """What follows the view, once its transaction is committed."""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        return after(view(*args, **kwargs))

    return call
