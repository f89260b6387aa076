"""How a route is registered: one helper says who may call it, what goes in and out, and tells openapi.yaml the same."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter

from app.kit import around, described
from app.kit.admission import admitted, default_limit
from app.kit.auth import Who
from app.kit.described import ProblemSchema, Rule
from app.kit.errors import Problem
from app.kit.fields import Many, OneOf, Strict, Text
from app.kit.http import JSON, Answer, Page
from app.kit.multipart import MEDIA, Form
from app.kit.strict import StrictParser

V = TypeVar("V", bound=Callable[..., Any])
RULES: dict[str, Rule] = {}
"""Every route made by `add`, by endpoint."""


class PidConverter(BaseConverter):
    """`<pid("car"):car>`: a public id of one kind; anything else is 404."""

    def __init__(self, url_map: Any, prefix: str) -> None:
        super().__init__(url_map)
        self.prefix = prefix
        self.regex = rf"{prefix}_[0-9a-f]{{32}}"


class Routes(Blueprint):
    """A blueprint whose routes are all made by `add`."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._undocumented: list[Callable[[], None]] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        who: Who = Who.PERSON,
        body: type[Schema] | Schema | None = None,
        query: type[Schema] | None = None,
        form: Form | None = None,
        returns: type[Schema] | Schema | None = None,
        status: int = 200,
        also: tuple[int, ...] = (),
        problems: tuple[type[Problem], ...] = (),
        key: bool = False,
        fresh_password: bool = False,
        scope: str | None = None,
        secrets: tuple[str, ...] = (),
        etag: bool = False,
        match: bool = False,
        limit: str | None = None,
        media: tuple[str, ...] = (JSON,),
        asks: tuple[str, ...] = (),
        raw: bool = False,
        after: Callable[[Response], Response] | None = None,
        guard: Callable[..., None] | None = None,
        while_suspended: bool = False,
    ) -> Callable[[V], V]:
        """Register `view(**path, body=, query=, form=)`.

        `key`: Idempotency-Key is required (on any POST or PUT it is honoured). `match`: If-Match is required.
        `etag`: a GET of one thing. `also`: other statuses of success. `secrets`: names shown once, null in a replay.
        `limit`: name of the settings' limit. `media`: what it can answer in, JSON when left out. `asks`: other headers
        it reads. `raw`: the view reads body and query itself. `form`: a file and words in place of a JSON body, given as
        bytes and dict. `after`: what follows once the transaction is committed, on a replay too. `guard`: what must come
        before any transaction begins, given what the view is given: counting a try at a secret, laying a file down. A
        replay does it too. `while_suspended`: a suspended person whose car is out may do this.
        """
        rule = Rule(
            who, method, path, scope, fresh_password, key, match, etag, raw,
            has_body=body is not None, has_query=query is not None, media=media, asks=asks,
            while_suspended=while_suspended, has_form=form is not None,
        )  # fmt: skip

        def register(view: V) -> V:
            name = view.__name__
            answered = None if returns is None else around.instance(returns)
            step: Any = around.by_name(view, rule)
            step = around.answering(step, answered, status, etag=etag)
            for success in (status, *also):
                step = self._success(step, success, answered, rule, main=success == status)
            if rule.writes and not raw:
                step = around.idempotent(step, rule, secrets)
            if after is not None:
                step = around.then(step, after)
            if guard is not None:
                step = around.first(step, around.by_name(guard, rule))
            if form is not None:
                step = around.with_form(step, form)
            step = around.strict(step, rule, answers=returns is not None or rule.is_file)
            if body is not None:
                step = self.arguments(around.instance(body), location="json")(step)
            if query is not None:
                step = self.arguments(around.instance(query), location="query")(step)
            step = admitted(step, rule, limit or default_limit(who))
            _with_words(
                step,
                operationId=name,
                summary=summary,
                description=described.words(view, summary, rule),
                security=described.security(rule),
                **({"requestBody": _form_body(form)} if form is not None else {}),
            )
            _with_headers(step, rule)
            step = self._refusals(step, rule, problems, answers=returns is not None or rule.is_file)
            RULES[f"{self.name}.{name}"] = rule
            self.route(path, methods=[method], endpoint=name)(step)
            return view

        return register

    def _store_endpoint_docs(self, *route: Any, **options: Any) -> None:
        """Later, as the next: it copies all words of the route."""
        self._undocumented.append(functools.partial(super()._store_endpoint_docs, *route, **options))

    def register_views_in_doc(self, api: Any, *rest: Any, **named: Any) -> None:
        """Later, if the contract is asked for: that is long work, and who serves or works never asks."""
        register = functools.partial(super().register_views_in_doc, api, *rest, **named)

        def document() -> None:
            while self._undocumented:
                self._undocumented.pop(0)()
            register()

        api.later.append(document)

    def _success(self, step: Any, status: int, returns: Any, rule: Rule, *, main: bool) -> Any:
        headers = described.answer_headers(status, rule)
        if main:
            return self.response(status, returns, headers=headers)(step)
        return self.alt_response(status, schema=returns, headers=headers, success=True)(step)

    def _refusals(self, step: Any, rule: Rule, named: tuple[type[Problem], ...], *, answers: bool) -> Any:
        """Document what else is answered, all at once: the library copies the whole of a route's words for each status."""
        doc: dict[str, Any] = vars(step)[_DOC]
        known = {status: [*these] for status, these in doc["response"]["responses"].items()}
        fine = [*doc["success_status_codes"]]
        for status, words in described.otherwise(rule, named, answers=answers):
            one = vars(self.alt_response(status, **words)(_nothing))[_DOC]
            known.setdefault(status, []).extend(one["response"]["responses"][status])
            fine += one.get("success_status_codes", ())
        step.__dict__[_DOC] = {**doc, "response": {"responses": known}, "success_status_codes": fine}
        return step


_DOC = "_apidoc"
"""Where flask-smorest keeps a view's words."""


def _with_words(step: Any, **words: Any) -> None:
    doc: dict[str, Any] = vars(step)[_DOC]
    doc["manual_doc"] = {**doc.get("manual_doc", {}), **words}


def _with_headers(step: Any, rule: Rule) -> None:
    """Beside those of query and body: the library would put documented parameters in their place."""
    arguments = vars(step)[_DOC].setdefault("arguments", {})
    arguments.setdefault("parameters", []).extend(described.parameters(rule))


def _nothing() -> None:
    """What a decorator that only documents is put on."""


def _form_body(form: Form) -> dict[str, Any]:
    example = {form.file: "(the bytes of a picture)", **{name: some[0] for name, some in form.words.items()}}
    return {"required": True, "content": {MEDIA: {"schema": form.schema(), "example": example}}}


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """The schema of one page of a list."""
    made: type[Schema] = type(
        f"{name}Page",
        (Strict,),
        {
            "__doc__": f"A page of a list ({name}), newest first; go on with `next_cursor`, null at the end.",
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
        picked[name] = base.fields[name]
        picked[name].required = False
    what = schema.__name__.removesuffix("In")
    made = type(f"{what}Patch", (Strict,), {**picked, "__doc__": f"Changes to a {what.lower()}."})
    found: Schema = made()
    return found


def created(body: Any, location: str) -> Answer:
    """201 with its Location."""
    return Answer(body, 201, {"Location": f"/v1{location}"})


__all__ = [
    "RULES",
    "OneOf",
    "Page",
    "PidConverter",
    "ProblemSchema",
    "Routes",
    "Rule",
    "created",
    "page_of",
    "patch_of",
]
