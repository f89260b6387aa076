"""Rows of offline grants: issuing and checking one, beside the bare signatures that each needs, taking turns; no database."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench.load import quantile
from carbox.grant import Grant, Right, compressed, issue, key_id, rental_hash
from carbox.grant_exchange import BoxVerifier, prove

Row = dict[str, Any]
SECONDS = 0.5
ABOUT = {
    "grant_issue": "issue a grant: our code / one bare P-256 signature, one thread",
    "grant_exchange": "open by a grant, both sides: our code / three signatures and two verifications",
}
_BARE, _TEXT = ec.ECDSA(SHA256(), deterministic_signing=True), bytes(110)


def grants(seconds: float = SECONDS) -> list[Row]:
    """grant_issue and grant_exchange."""
    issuer, holder, box = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    grant = _grant(issuer, holder)
    data = issue(issuer, grant)
    issuers = {grant.issuer_key_id: issuer.public_key()}
    verifier = BoxVerifier(grant.box_id, box, issuers, lambda: grant.not_before, lambda _: (False, 1))
    signature, public = issuer.sign(_TEXT, _BARE), issuer.public_key()

    def exchange() -> None:
        nonce = secrets.token_bytes(16)
        challenge = verifier.hello(data, nonce).challenge
        verifier.operate(Right.UNLOCK, prove(holder, grant, challenge, nonce, Right.UNLOCK))

    def bare() -> None:
        for _ in range(3):
            issuer.sign(_TEXT, _BARE)
        for _ in range(2):
            public.verify(signature, _TEXT, _BARE)

    return [
        _row(
            "grant_issue",
            *_turns(seconds, lambda: issue(issuer, grant), lambda: issuer.sign(_TEXT, _BARE)),
        ),
        _row("grant_exchange", *_turns(seconds, exchange, bare)),
    ]


def _grant(issuer: ec.EllipticCurvePrivateKey, holder: ec.EllipticCurvePrivateKey) -> Grant:
    return Grant(
        issuer_key_id=key_id(issuer.public_key()),
        grant_id=secrets.token_bytes(16),
        box_id=secrets.token_bytes(16),
        rental_hash=rental_hash("ren_bench"),
        holder_key=compressed(holder.public_key()),
        rights=Right.UNLOCK | Right.LOCK,
        not_before=1_800_000_000,
        not_after=1_800_003_600,
        revocation_floor=0,
    )


def _turns(
    seconds: float, ours: Callable[[], object], limit: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Ours, theirs, and again: noise hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        for which, call in enumerate((ours, limit)):
            ends = time.perf_counter() + seconds
            while (began := time.perf_counter()) < ends:
                call()
                times[which].append(time.perf_counter() - began)
    return times


def _row(name: str, ours: list[float], limit: list[float]) -> Row:
    mine, theirs = len(ours) / sum(ours), len(limit) / sum(limit)
    return {
        "name": name,
        "ours": round(mine, 1),
        "limit": round(theirs, 1),
        "ratio": round(mine / theirs, 3),
        "unit": "1/s",
        "p50_ms": round(quantile(ours, 0.5) * 1000, 3),
        "p99_ms": round(quantile(ours, 0.99) * 1000, 3),
    }
