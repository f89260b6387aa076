"""Who is calling: people's, partners' and nobody's tokens, each verified with its own key, typ and aud."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, cast

import jwt
from flask import Flask, current_app, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt,
    get_jwt_header,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError

from app.kit.clock import real_now
from app.kit.errors import NotAllowed, PasswordNeeded, ScopeMissing, Unauthenticated
from app.kit.keys import Purpose, ring

PEOPLE_TYP, PARTNER_TYP = "at+jwt", "partner+jwt"
PEOPLE_AUD, PARTNER_AUD = "glovebox:people", "glovebox:partners"
ISSUER = "glovebox"
ACCESS_FOR = timedelta(minutes=10)
PASSWORD_FRESH_FOR = timedelta(minutes=10)
REMEMBERED = 10_000


class Who(StrEnum):
    """Which caller a route is for; the guard test wants one on every route."""

    ALL = "all"
    PERSON = "person"
    PARTNER = "partner"
    OPERATOR = "operator"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person on one session."""

    person: str
    session: str
    phone: str | None
    language: str
    time_zone: str
    operator: bool
    password_at: datetime | None
    suspended: bool = False
    """Still here because a car is out: may do what ends that rental."""


@dataclass(frozen=True, slots=True)
class Partner:
    """An insurer's client."""

    client: str
    insurer: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Loaders:
    """How the packages above look callers up; the factory fills it."""

    person: Callable[[dict[str, Any]], Caller]
    partner: Callable[[dict[str, Any]], Partner]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token said whose signature was found right."""

    claims: dict[str, Any]
    kid: str

    def holds(self, purpose: Purpose) -> bool:
        """Not expired, and its key still verifies: all that can change about a token itself."""
        return (
            self.claims.get("exp", 0) > real_now().timestamp()
            and ring().verifying(purpose, self.kid) is not None
        )


class Remembered:
    """Signatures found right, so that each is computed once per process and not once per request.

    Whether the session, phone or client behind a token still stands is no part of it: that is read every time. Only tokens
    that verified get in; kept is the digest of the header, so no token can be read out of it.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._found: dict[tuple[Purpose, bytes], Verified] = {}

    def claims(self, purpose: Purpose, verify: Callable[[str], Verified]) -> dict[str, Any]:
        """The claims of this request's Authorization header; `verify` raises for one that is not right."""
        given = request.headers.get("Authorization", "")
        key = purpose, sha256(given.encode()).digest()
        found = self._found.get(key)
        if found is None or not found.holds(purpose):
            self._found.pop(key, None)
            found = verify(given)
            if len(self._found) >= self._most:
                self._found = {}
            self._found[key] = found
        return found.claims

    def __len__(self) -> int:
        return len(self._found)


def install(app: Flask) -> None:
    """flask-jwt-extended for people's tokens: ES256, our key ring, our typ."""
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_DECODE_ALGORITHMS=["ES256"],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=PEOPLE_AUD,
        JWT_DECODE_AUDIENCE=PEOPLE_AUD,
        JWT_ACCESS_TOKEN_EXPIRES=ACCESS_FOR,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_SECRET_KEY="unused: every token has its own key",  # noqa: S106
    )
    app.extensions["glovebox-tokens"] = Remembered()
    manager = JWTManager(app)
    manager.encode_key_loader(lambda _identity: ring().signing(Purpose.PEOPLE).private)
    manager.decode_key_loader(_people_key)
    manager.token_verification_loader(lambda header, _claims: header.get("typ") == PEOPLE_TYP)


def _people_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
    del claims
    return _public(Purpose.PEOPLE, header)


def _public(purpose: Purpose, header: dict[str, Any]) -> Any:
    kid = header.get("kid")
    key = ring().verifying(purpose, kid) if isinstance(kid, str) else None
    if key is None:
        raise Unauthenticated("The token is not one of ours.")
    return key.public


def person_token(person: str, session: str, phone: str | None) -> str:
    """An access token: who, on which session, from which phone."""
    key = ring().signing(Purpose.PEOPLE)
    claims = {"sid": session} | ({"phone": phone} if phone else {})
    headers = {"typ": PEOPLE_TYP, "kid": key.kid}
    return cast("str", create_access_token(person, additional_claims=claims, additional_headers=headers))


def partner_token(
    client: str,
    insurer: str,
    scopes: frozenset[str],
    jti: str,
    lives: timedelta,
    certificate: str | None = None,
) -> str:
    """An insurer client's access token, bound to a certificate where there is one (RFC 8705, 3.1)."""
    key, now = ring().signing(Purpose.PARTNERS), real_now()
    claims = {
        "iss": ISSUER,
        "aud": PARTNER_AUD,
        "sub": client,
        "insurer": insurer,
        "scope": " ".join(sorted(scopes)),
        "jti": jti,
        "iat": now,
        "exp": now + lives,
        **({"cnf": {"x5t#S256": certificate}} if certificate else {}),
    }
    return jwt.encode(claims, key.private, "ES256", headers={"typ": PARTNER_TYP, "kid": key.kid})


def require_person(loaders: Loaders) -> Caller:
    """The signed-in person of this request."""
    found = loaders.person(_remembered().claims(Purpose.PEOPLE, _people_token))
    g.caller = found
    return found


def _remembered() -> Remembered:
    found: Remembered = current_app.extensions["glovebox-tokens"]
    return found


def _people_token(_header: str) -> Verified:
    try:
        verify_jwt_in_request()
    except (JWTExtendedException, PyJWTError, ValueError) as error:
        raise Unauthenticated("Send a valid access token as Authorization: Bearer.") from error
    claims = get_jwt()
    if not isinstance(claims.get("sid"), str) or claims.get("type") != "access":
        raise Unauthenticated("Send a valid access token as Authorization: Bearer.")
    return Verified(claims, get_jwt_header()["kid"])


def require_partner(loaders: Loaders, scope: str) -> Partner:
    """The insurer's client of this request, holding the scope."""
    found = loaders.partner(_remembered().claims(Purpose.PARTNERS, _partner_token))
    g.partner = found
    if scope not in found.scopes:
        raise ScopeMissing(f"This needs the scope {scope}.", scope=scope)
    return found


def _partner_token(given: str) -> Verified:
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a partner token as Authorization: Bearer.")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != PARTNER_TYP:
            raise Unauthenticated("This is not a partner's token.")
        claims: dict[str, Any] = jwt.decode(
            token,
            _public(Purpose.PARTNERS, header),
            algorithms=["ES256"],
            audience=PARTNER_AUD,
            issuer=ISSUER,
            options={"require": ["exp", "sub", "jti", "insurer"]},
        )
    except (PyJWTError, ValueError) as error:
        raise Unauthenticated("The partner token is not valid or has expired.") from error
    return Verified(claims, header["kid"])


def require_operator(loaders: Loaders) -> Caller:
    found = require_person(loaders)
    if not found.operator:
        raise NotAllowed("Only operators may do that.")
    return found


def require_password() -> None:
    """R: the password was given on this session within ten minutes."""
    given = caller().password_at
    if given is None or real_now() - given > PASSWORD_FRESH_FOR:
        raise PasswordNeeded("Confirm with POST /v1/sessions/current/confirm, then repeat.")


def caller() -> Caller:
    found: Caller = g.caller
    return found


def partner() -> Partner:
    found: Partner = g.partner
    return found
