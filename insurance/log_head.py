"""The signed head of the log: what an insurer keeps, so that nobody can write the log anew."""

import json
from dataclasses import dataclass
from datetime import datetime

from joserfc import jws
from joserfc.jwk import ECKey

from insurance.certificate import ALG, SigningKey
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
    """As a compact JWS, ES256, with a `typ` of its own; the keys are those of certificates."""
    payload = {
        "iss": head.issuer,
        "iat": int(head.signed_at.timestamp()),
        "number": head.number,
        "first": head.first,
        "last": head.last,
        "chain": head.chain.hex(),
        "root": head.root.hex(),
    }
    header = {"typ": TYP, "alg": ALG, "kid": key.kid}
    text = json.dumps(payload, separators=(",", ":"))
    return jws.serialize_compact(header, text, ECKey.import_key(key.private_pem), [ALG])
