"""Rows of offline grants: issuing and checking one, beside the bare signatures that each needs, taking turns; no database."""

import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench.scale import Scale
from bench.turns import Row, compared
from carbox.grant import Grant, Right, compressed, issue, key_id, rental_hash
from carbox.grant_exchange import BoxVerifier, prove

_BARE, _TEXT = ec.ECDSA(SHA256(), deterministic_signing=True), bytes(110)


def grants(scale: Scale) -> list[Row]:
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
        compared(scale, "grant_issue", lambda: issue(issuer, grant), lambda: issuer.sign(_TEXT, _BARE)),
        compared(scale, "grant_exchange", exchange, bare),
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
