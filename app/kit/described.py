"""What a route says of itself in openapi.yaml: who may call it, its headers, its parameters, its refusals."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields

from app.kit.auth import Who
from app.kit.errors import (
    IdempotencyBusy,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Malformed,
    NotAllowed,
    NotFound,
    PasswordNeeded,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    RateLimited,
    ScopeMissing,
    Unauthenticated,
    Validation,
)
from app.kit.fields import Many, Strict, Text, Whole
from app.kit.http import JSON, PROBLEM_JSON


class FieldError(Strict):
    """What is wrong with one field of the body (`pointer`) or one parameter of the query (`parameter`)."""

    pointer = Text(300, shortest=0)
    parameter = Text(100, shortest=0)
    code = Text(40)
    detail = Text(500)


class ProblemSchema(Schema):
    """A refusal (RFC 9457); a type may have members of its own beside these."""

    type = fields.String(required=True, metadata={"format": "uri-reference", "maxLength": 100})
    title = Text(120, required=True)
    status = Whole(400, 599, required=True)
    detail = Text(1000)
    instance = fields.String(metadata={"format": "uri", "maxLength": 100})
    errors = Many(fields.Nested(FieldError), 50)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a route and what it wants; the guard tests and the contract read it."""

    who: Who
    method: str
    path: str
    scope: str | None = None
    fresh_password: bool = False
    key_required: bool = False
    match: bool = False
    etag: bool = False
    raw: bool = False
    has_body: bool = False
    has_query: bool = False
    media: tuple[str, ...] = (JSON,)
    asks: tuple[str, ...] = ()
    while_suspended: bool = False
    has_form: bool = False

    @property
    def is_file(self) -> bool:
        """It answers with a file, and with nothing else."""
        return JSON not in self.media

    @property
    def open_to_suspended(self) -> bool:
        """Reading, and what ends a rental that is out; nothing of an operator's."""
        return self.who is not Who.OPERATOR and (self.method == "GET" or self.while_suspended)

    @property
    def writes(self) -> bool:
        return self.method in ("POST", "PUT")


def _text(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


_LIMIT = r"^\"[a-z-]+\"(;[a-z]+=[0-9]+)+$"
HEADERS: dict[str, dict[str, Any]] = {
    "RateLimit": _text("What is left: r requests for t seconds.", maxLength=100, pattern=_LIMIT),
    "RateLimit-Policy": _text("The limit: q requests in w seconds.", maxLength=100, pattern=_LIMIT),
    "Request-Id": _text("Names this request in our logs.", format="uuid", maxLength=36),
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 86400},
    },
    "Location": _text("Where it is.", format="uri-reference", maxLength=200),
    "ETag": _text("Names this state of the thing.", maxLength=100, pattern=r'^(W/)?"[^"]*"$'),
    "Idempotent-Replayed": _text("This is the stored answer of an earlier request.", enum=["true"]),
    "WWW-Authenticate": _text("How to sign in.", maxLength=200, pattern=r"^[A-Z][a-z]+"),
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": _text(
        "New for each intent; a repeat with the same key answers the same.",
        minLength=8,
        maxLength=64,
        pattern="^[A-Za-z0-9_-]+$",
    ),
    "If-Match": _text(
        "The ETag of the last GET.", minLength=1, maxLength=100, pattern=r'^(\*|"[0-9a-f]{32}")$'
    ),
    "If-None-Match": _text("The ETag one has; 304 when it still stands.", maxLength=100, pattern=r"^[ -~]*$"),
    "Reason": _text(
        "Why, kept in the audit log; percent-encoded UTF-8.", minLength=1, maxLength=1500, pattern=r"^[ -~]+$"
    ),
    "Prefer": _text(
        "`wait=N`: wait up to N seconds (0 to 20) for the box before answering 202.",
        maxLength=40,
        pattern=r"^wait=(1?[0-9]|20)$",
    ),
    "Phone-Signature": _text(
        "Needed from a phone that registered a public key: `<unix seconds>.<base64url ES256>` over the LF-joined "
        "method, path, Idempotency-Key, seconds and hex SHA-256 of the body; good for 60 s.",
        maxLength=200,
        pattern=r"^[0-9]{1,12}\.[A-Za-z0-9_-]{1,180}$",
    ),
}
_EXAMPLES: dict[str, str] = {
    "Idempotency-Key": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "If-Match": '"5f2b1d0a9c8e7f6a5b4c3d2e1f0a9b8c"',
    "If-None-Match": '"5f2b1d0a9c8e7f6a5b4c3d2e1f0a9b8c"',
    "Reason": "contract%20ended",
    "Prefer": "wait=10",
    "Phone-Signature": "1804064400.MEUCIQDx0Hn2Vw3b5aJ8m1pQ4rS7tU0vW3xY6zA9bC2dE5fG8A",
}
_CALLERS = {
    Who.ALL: "Open to all.",
    Who.PERSON: "For a signed-in person.",
    Who.OPERATOR: "For operators.",
    Who.SIGNED: "Signed by its sender.",
}
SCOPES = {
    "coverage:read": "Read one's own covers, ask whether a car was covered.",
    "coverage:lookup": "Ask of any plate whether it was covered; logged and shown to the owner.",
    "drivers:read": "See the driver's name and licence in an answer about coverage.",
    "bordereau:read": "Read the monthly lists of risks, premiums and claims.",
    "claims:write": "Report claims.",
    "claims:evidence": "Fetch the evidence of a claim.",
    "webhooks:write": "Set up where changes are sent.",
}
_SECURITY: dict[Who, list[dict[str, list[str]]]] = {
    Who.ALL: [],
    Who.SIGNED: [],
    Who.PERSON: [{"person": []}],
    Who.OPERATOR: [{"person": []}],
}


def refusals(rule: Rule, named: tuple[type[Problem], ...]) -> dict[int, list[type[Problem]]]:
    """The problems of a route by status: those its rule brings, then those it names itself."""
    found: list[type[Problem]] = []
    if (rule.has_body or rule.writes) and not rule.raw:
        found.append(Malformed)
    if rule.key_required:
        found.append(IdempotencyKeyMissing)
    if rule.who in (Who.PERSON, Who.OPERATOR, Who.PARTNER):
        found.append(Unauthenticated)
    acts = rule.who in (Who.PERSON, Who.OPERATOR) and not rule.open_to_suspended
    found += [NotAllowed] if acts else []
    found += [ScopeMissing] if rule.who is Who.PARTNER else []
    found += [PasswordNeeded] if rule.fresh_password else []
    found += [NotFound] if "<" in rule.path else []
    if rule.writes and not rule.raw:
        found += [IdempotencyBusy, IdempotencyKeyReused]
    if rule.match:
        found += [PreconditionFailed, PreconditionRequired]
    if not rule.raw:
        found += [Validation]
    by_status: dict[int, list[type[Problem]]] = defaultdict(list)
    every: list[type[Problem]] = [*found, RateLimited, *named]
    for one in every:
        if one not in by_status[one.status]:
            by_status[one.status].append(one)
    return dict(sorted(by_status.items()))


def _headers(*names: str) -> dict[str, Any]:
    common = ("RateLimit", "RateLimit-Policy", "Request-Id")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*common, *names)}


COMMON_HEADERS = _headers()


def answer_headers(status: int, rule: Rule) -> dict[str, Any]:
    """The headers of a success."""
    names = ["Location"] if status in (201, 202) else []
    if rule.etag or rule.method == "PATCH":
        names.append("ETag")
    if rule.writes and not rule.raw:
        names.append("Idempotent-Replayed")
    return _headers(*names)


def problem(status: int, kinds: list[type[Problem]], words: str = "") -> dict[str, Any]:
    """One answer with a problem document: its description, headers and an example of each type.

    The schema is named: of a class the library makes one for each answer of each route, and copies it with all its words.
    """
    names = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}.get(status, ())
    examples = {kind.slug: {"$ref": f"#/components/examples/{kind.slug}"} for kind in kinds}
    return {
        "schema": ProblemSchema.__name__,
        "content_type": PROBLEM_JSON,
        "examples": examples or {str(status): {"$ref": f"#/components/examples/{status}"}},
        "headers": _headers(*names),
        "description": "; ".join(kind.title for kind in kinds) or words,
    }


PLAIN = {
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
}


def plain_statuses(rule: Rule, *, answers: bool) -> list[int]:
    """Refusals without a type of their own: what cannot be read or written, and our own bugs."""
    found = [406] if answers else []
    if rule.has_body or rule.has_form:
        found += [413, 415]
    return [*found, 500]


def otherwise(
    rule: Rule, named: tuple[type[Problem], ...], *, answers: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every answer beside success, with its words."""
    for status, kinds in refusals(rule, named).items():
        yield status, problem(status, kinds)
    for status in plain_statuses(rule, answers=answers):
        yield status, problem(status, [], PLAIN[status])
    if rule.etag:
        yield 304, {"description": "Not modified", "success": True}


def parameters(rule: Rule) -> list[dict[str, Any]]:
    """The header parameters."""
    names = dict.fromkeys(rule.asks, False)
    if rule.writes and not rule.raw:
        names["Idempotency-Key"] = rule.key_required
    if rule.match:
        names["If-Match"] = True
    if rule.etag:
        names["If-None-Match"] = False
    return [
        {"in": "header", "name": name, "required": required, **PARAMETERS[name], "example": _EXAMPLES[name]}
        for name, required in names.items()
    ]


def words(view: Callable[..., Any], summary: str, rule: Rule) -> str:
    """The description: what the view's docstring says, then what its rule means for the caller."""
    said = " ".join((view.__doc__ or "").split()) or f"{summary}."
    asks = [_CALLERS.get(rule.who) or f"For an insurer's client with the scope `{rule.scope}`."]
    if rule.fresh_password:
        asks.append(
            "The password must have been given within ten minutes: `POST /v1/sessions/current/confirm`."
        )
    if rule.key_required:
        asks.append("Needs an `Idempotency-Key`.")
    if rule.match:
        asks.append("Needs `If-Match` with the ETag of the last GET.")
    return f"{said}\n\n{' '.join(asks)}"


def security(rule: Rule) -> list[dict[str, list[str]]]:
    if rule.who is Who.PARTNER:
        return [{"partner": [rule.scope] if rule.scope else []}]
    return _SECURITY[rule.who]
