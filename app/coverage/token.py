"""Tokens for insurers' clients: client credentials (RFC 6749, 4.4), by secret, by a signed assertion (RFC 7523), or by
the certificate of their TLS alone (RFC 8705, 2.2).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import jwt
from jwt.exceptions import PyJWTError
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app.coverage import partners
from app.coverage.models import CLI, AssertionUsed, Client
from app.kit import client_certificate
from app.kit.auth import partner_token
from app.kit.clock import real_now
from app.kit.db import new_id, session, transactional
from app.kit.keys import settings
from insurance.certificate import pem_of_jwk

LIVES = timedelta(minutes=10)
ASSERTION_LIVES = timedelta(minutes=10)
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
UNKNOWN = "The client is not known, or its proof is wrong."
_ID = re.compile(rf"{CLI}_[0-9a-f]{{32}}")
KNOWN = frozenset(
    {"grant_type", "scope", "client_id", "client_secret", "client_assertion_type", "client_assertion"}
)


class TokenRefusedError(Exception):
    """An error of RFC 6749, 5.2; a client that failed to prove itself is 401."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description

    @property
    def status(self) -> int:
        return 401 if self.error == "invalid_client" else 400


@dataclass(frozen=True, slots=True)
class _Proof:
    """Without secret and assertion it is the certificate that came with the request."""

    client: str
    secret: str | None = None
    assertion: str | None = None


def client_named(authorization: str | None, form: Mapping[str, str]) -> str:
    """Who says to be asking, for counting tries before anything is judged; what cannot be an id counts as unknown."""
    try:
        return _proof(authorization, form).client
    except TokenRefusedError:
        return "unknown"


def grant(authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the token endpoint. Raises TokenRefusedError."""
    client = _proven(_proof(authorization, form))
    if form.get("grant_type") != "client_credentials":
        missing = "grant_type" not in form
        raise TokenRefusedError(
            "invalid_request" if missing else "unsupported_grant_type", "Use grant_type=client_credentials."
        )
    held = frozenset(client.scopes)
    asked = frozenset(form.get("scope", "").split()) or held
    if not asked <= held:
        raise TokenRefusedError(
            "invalid_scope", f"This client may not have {' '.join(sorted(asked - held))}."[:200]
        )
    token = partner_token(
        client.id, client.insurer_id, asked, new_id("tok"), LIVES, client.certificate_sha256
    )
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(LIVES.total_seconds()),
        "scope": " ".join(sorted(asked)),
    }


def _proof(authorization: str | None, form: Mapping[str, str]) -> _Proof:
    """Exactly one way of proving oneself."""
    ways = [
        _basic(authorization) if authorization else None,
        _in_body(form) if "client_secret" in form else None,
        _assertion(form) if "client_assertion" in form or "client_assertion_type" in form else None,
    ]
    given = [one for one in ways if one is not None]
    if len(given) > 1:
        raise TokenRefusedError("invalid_request", "Prove yourself in one way only.")
    if not given and "client_id" not in form:
        raise TokenRefusedError("invalid_client", "Send a client secret or a client assertion.")
    proof = given[0] if given else _Proof(form["client_id"])
    if form.get("client_id", proof.client) != proof.client:
        raise TokenRefusedError("invalid_request", "client_id names another client.")
    if not _ID.fullmatch(proof.client):
        raise TokenRefusedError("invalid_client", UNKNOWN)
    return proof


def _basic(authorization: str) -> _Proof:
    scheme, _, value = authorization.partition(" ")
    try:
        decoded = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        decoded = ""
    name, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise TokenRefusedError("invalid_client", "The Authorization header is not HTTP Basic.")
    return _Proof(unquote_plus(name), secret=unquote_plus(secret))


def _in_body(form: Mapping[str, str]) -> _Proof:
    if "client_id" not in form:
        raise TokenRefusedError("invalid_request", "client_secret needs client_id beside it.")
    return _Proof(form["client_id"], secret=form["client_secret"])


def _assertion(form: Mapping[str, str]) -> _Proof:
    if form.get("client_assertion_type") != ASSERTION or "client_assertion" not in form:
        raise TokenRefusedError("invalid_request", f"client_assertion_type is to be {ASSERTION}.")
    try:
        claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    except (PyJWTError, ValueError) as error:
        raise TokenRefusedError("invalid_client", "The assertion cannot be read.") from error
    return _Proof(str(claims.get("sub")), assertion=form["client_assertion"])


@transactional
def _proven(proof: _Proof) -> Client:
    wrong = TokenRefusedError("invalid_client", UNKNOWN)
    client = session.get(Client, proof.client, populate_existing=True)
    if client is None or client.revoked_at is not None:
        raise wrong
    if proof.assertion is not None:
        _verify(client, proof.assertion, wrong)
    elif proof.secret is None:
        _verify_certificate(client, wrong)
    elif client.secret_hash is None or not hmac.compare_digest(
        client.secret_hash, partners.hashed(proof.secret)
    ):
        raise wrong
    if client.certificate_sha256 not in (None, client_certificate.presented()):
        raise TokenRefusedError(
            "invalid_client", "This client is bound to a certificate, which did not come."
        )
    return client


def _verify_certificate(client: Client, wrong: TokenRefusedError) -> None:
    """Enough where it was agreed to be: of who has a secret or a key, that is wanted. Which one it is, is asked of all."""
    if client.certificate_sha256 is None or client.secret_hash is not None or client.public_keys:
        raise wrong
    if client_certificate.presented() is not None and not client_certificate.is_in_time(real_now()):
        raise TokenRefusedError("invalid_client", "The certificate is not valid at this time.")


def _verify(client: Client, assertion: str, wrong: TokenRefusedError) -> None:
    """Signed with a key of the client's, for us, for a few minutes, once."""
    audiences = [f"{settings().public_url}/oauth/token", settings().public_url]
    try:
        kid = jwt.get_unverified_header(assertion).get("kid")
        [jwk] = [one for one in client.public_keys if kid in (None, one["kid"])][:1] or [None]
        if jwk is None:
            raise wrong
        claims = jwt.decode(
            assertion,
            pem_of_jwk(jwk),
            algorithms=["ES256"],
            audience=audiences,
            issuer=client.id,
            subject=client.id,
            options={"require": ["exp", "iss", "sub", "aud", "jti"]},
        )
        expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (PyJWTError, ValueError, OverflowError, OSError) as error:
        raise wrong from error
    jti = claims["jti"]
    usable = isinstance(jti, str) and 0 < len(jti) <= 200 and jti.isprintable()
    if expires > real_now() + ASSERTION_LIVES or not usable:
        raise TokenRefusedError("invalid_client", "The assertion lives too long, or its jti is not usable.")
    session.execute(text("delete from partner_assertions where expires_at < clock_timestamp()"))
    taken = session.execute(
        insert(AssertionUsed)
        .values(client_id=client.id, jti=jti, expires_at=expires)
        .on_conflict_do_nothing()
        .returning(AssertionUsed.jti)
    ).first()
    if taken is None:
        raise TokenRefusedError("invalid_client", "This assertion has been used.")
