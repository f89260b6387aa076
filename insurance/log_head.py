"""The signed head of the log: what an insurer keeps, so that nobody can write the log anew."""

import json
from dataclasses import dataclass
from datetime import datetime

from insurance import certificate
from insurance.certificate import SigningKey
from insurance.verify_log import TYP


@dataclass(frozen=True, slots=True)
class LogHead:
    """The facts at positions `first` to `last`: the chain at the last, the root of the tree over them."""

    issuer: str
    number: int
    first: int
    last: int
    chain: bytes
    root: bytes
    signed_at: datetime


def sign(key: SigningKey, head: LogHead) -> str:
    """As a compact JWS; the keys are those of certificates."""
    payload = {
        "iss": head.issuer,
        "iat": int(head.signed_at.timestamp()),
        "number": head.number,
        "first": head.first,
        "last": head.last,
        "chain": head.chain.hex(),
        "root": head.root.hex(),
    }
    return certificate.sign(key, TYP, json.dumps(payload, separators=(",", ":")))
