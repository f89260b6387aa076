"""Who asks: the client behind a partner's token, live until its removal has returned.

A process takes a client that it has read for live for `TRUSTED_S` without reading it again, and whoever removes one waits
that long before the removal returns. All else about a client stays as it was made.
"""

import time
from typing import Any, NamedTuple

from sqlalchemy import text

from app.coverage.models import CLI
from app.kit import client_certificate
from app.kit.auth import Partner
from app.kit.db import bare, in_transaction
from app.kit.driver import read
from app.kit.errors import NotFound, Unauthenticated
from app.kit.steady import since_boot

TRUSTED_S = 1.0
MOST = 1000
_LIVE = text(
    "select insurer_id, scopes, certificate_sha256 from partner_clients where id = :id and revoked_at is null"
)


class Live(NamedTuple):
    """A client as it was read, and until when it may be taken for live: seconds since boot."""

    insurer: str
    scopes: frozenset[str]
    certificate: str | None
    until: float


_read: dict[str, Live] = {}


def caller_of(claims: dict[str, Any]) -> Partner:
    """The client behind a token. Raises Unauthenticated once it is removed, and where the certificate that token or client
    are bound to does not come with the request.
    """
    client = str(claims["sub"])
    found = _read.get(client)
    if found is None or found.until < since_boot():
        found = _look(client)
    if found is None or found.insurer != claims["insurer"]:
        raise Unauthenticated("This client has been removed.")
    bound = {found.certificate, (claims.get("cnf") or {}).get("x5t#S256")} - {None}
    if bound and bound != {client_certificate.presented()}:
        raise Unauthenticated("This token is bound to a certificate, which did not come with the request.")
    granted = frozenset(str(claims.get("scope", "")).split())
    return Partner(client=client, insurer=found.insurer, scopes=granted & found.scopes)


def _look(client: str) -> Live | None:
    """Its second begins before the database is asked: a removal that the answer does not know of was not over then."""
    until = since_boot() + TRUSTED_S
    _read.pop(client, None)
    try:
        rows = read(_LIVE, {"id": bare(client, CLI)})
    except NotFound:
        return None
    if not rows:
        return None
    if len(_read) >= MOST:
        _read.clear()
    found = Live(
        f"ins_{rows[0].insurer_id.hex}", frozenset(rows[0].scopes), rows[0].certificate_sha256, until
    )
    _read[client] = found
    return found


def outlast() -> None:
    """Wait until no process takes a client for live whose removal is committed. Never inside a transaction."""
    if in_transaction():
        raise RuntimeError("outlast inside a transaction: nobody could see the removal yet")
    time.sleep(TRUSTED_S)
