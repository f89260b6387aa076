"""Insurers and their clients: programs that hold a secret or a key of their own, and what they may do."""

import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.coverage import caller
from app.coverage.models import CLI, Client, InsurerRow
from app.facts import PartnerClientChanged
from app.kit import clock, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, NotFound, Validation
from app.kit.keys import mac, settings
from insurance.certificate import jwk_of_pem, pem_of_jwk

SCOPES = (
    "coverage:read",
    "coverage:lookup",
    "drivers:read",
    "bordereau:read",
    "claims:write",
    "claims:evidence",
    "webhooks:write",
)


def add_insurer(name: str) -> InsurerRow:
    """A new insurer. Raises AlreadyExists for a name that is taken."""
    try:
        return _add_insurer(name)
    except IntegrityError as error:
        raise AlreadyExists(f"There is an insurer called {name} already.") from error


@transactional
def _add_insurer(name: str) -> InsurerRow:
    made = InsurerRow(name=name, made_at=clock.now())
    session.add(made)
    session.flush()
    return made


def insurers() -> list[InsurerRow]:
    return list(session.scalars(select(InsurerRow).order_by(InsurerRow.id)))


def find_insurer(insurer: str) -> InsurerRow:
    """Raises NotFound."""
    found: InsurerRow | None = session.get(InsurerRow, insurer)
    if found is None:
        raise NotFound
    return found


def clients(insurer: str) -> list[Client]:
    """The live clients of an insurer."""
    statement = select(Client).where(Client.insurer_id == insurer, Client.revoked_at.is_(None))
    return list(session.scalars(statement.order_by(Client.id)))


@transactional
def add_client(
    insurer: str,
    *,
    label: str,
    scopes: list[str],
    public_keys: list[dict[str, Any]] | None = None,
    certificate: str | None = None,
    certificate_alone: bool = False,
) -> tuple[Client, str | None]:
    """A client with public keys (JWKs, P-256), else with a secret, which is returned once and stored hashed.

    With the thumbprint of a certificate (x5t#S256) it is heard only where that comes with the request; where that is to be
    its proof alone it has neither key nor secret. Raises NotFound, Validation.
    """
    find_insurer(insurer)
    errors = [_error("/scopes", f"{one} is not a scope.") for one in scopes if one not in SCOPES]
    if not scopes:
        errors.append(_error("/scopes", "Give at least one."))
    if certificate is not None and not settings().client_certificate_header:
        errors.append(
            _error("/certificate_sha256", "No header is set in which the proxy names certificates.")
        )
    keys = _public(public_keys or [], errors)
    if certificate_alone and (certificate is None or keys):
        errors.append(_error("/certificate_alone", "Needs a certificate_sha256, and no public_keys."))
    if errors:
        raise Validation(errors=errors)
    secret = None if keys or certificate_alone else _new_secret()
    client = Client(
        id=new_id(CLI),
        insurer_id=insurer,
        label=label,
        scopes=sorted(set(scopes)),
        secret_hash=hashed(secret) if secret else None,
        public_keys=keys,
        certificate_sha256=certificate,
        made_at=clock.real_now(),
    )
    session.add(client)
    _changed(client, "added")
    return client, secret


def _public(given: list[dict[str, Any]], errors: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The public halves alone, whatever was handed in."""
    kept = []
    for place, one in enumerate(given):
        try:
            kept.append(jwk_of_pem(pem_of_jwk(one), kid=str(one.get("kid") or "")))
        except (KeyError, TypeError, ValueError):
            errors.append(_error(f"/public_keys/{place}", "Is to be a JWK on P-256."))
    return kept


def _error(pointer: str, detail: str) -> dict[str, str]:
    return {"pointer": pointer, "code": "invalid", "detail": detail}


def _new_secret() -> str:
    return f"gbs_{secrets.token_urlsafe(32)}"


def hashed(secret: str) -> bytes:
    """256 random bits need no slow hash; keyed, so that a stolen table opens nothing."""
    return mac("partner-secret", secret)


@transactional
def rotate_client(client_id: str) -> str:
    """A new secret, returned once; the old one is dead when this returns. Raises NotFound, also where none was given."""
    client = _live(client_id)
    if client.secret_hash is None and client.certificate_sha256 is not None and not client.public_keys:
        raise NotFound("This client has no secret: its certificate is its proof.")
    secret = _new_secret()
    client.secret_hash, client.rotated_at = hashed(secret), clock.real_now()
    _changed(client, "rotated")
    return secret


def remove_client(client_id: str) -> None:
    """The client and its tokens are dead when this returns, a second later. Raises NotFound."""
    end_client(client_id)
    caller.outlast()


@transactional
def end_client(client_id: str) -> None:
    """Within a transaction, after which `caller.outlast` has to be waited for. Raises NotFound."""
    client = _live(client_id)
    client.revoked_at = clock.real_now()
    _changed(client, "removed")


def _live(client_id: str) -> Client:
    client: Client | None = session.get(Client, client_id, with_for_update=True, populate_existing=True)
    if client is None or client.revoked_at is not None:
        raise NotFound
    return client


def _changed(client: Client, what: str) -> None:
    session.flush()
    facts.record(PartnerClientChanged(insurer=client.insurer_id, client=client.id, what=what))
