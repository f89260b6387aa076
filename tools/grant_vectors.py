"""Write docs/grants/vectors.json: every message of offline access from fixed keys, for whoever writes a box or a phone.

`python tools/grant_vectors.py` writes the file anew; a test makes the same and compares.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from carbox import grant as g  # noqa: E402 - the path is set above
from carbox.grant_exchange import Challenge, Receipt, proof_message, prove  # noqa: E402
from carbox.revocations import Acknowledgement, Revocations, issue_revocations  # noqa: E402

FILE = ROOT / "docs" / "grants" / "vectors.json"
NAMES = ("issuer", "next_issuer", "holder", "box")
KEYS = {name: ec.derive_private_key(1001 + number, ec.SECP256R1()) for number, name in enumerate(NAMES)}
BOX_ID, NONCE, CHALLENGE = bytes(range(16, 32)), bytes(range(32, 48)), bytes(range(64, 96))
RENTAL = "ren_0197aaaa0000700080000000000000aa"
START, END, OPENED = 1_800_000_000, 1_800_009_000, 1_800_000_060


def made() -> dict[str, Any]:
    """The whole file as JSON values; bytes are hex."""
    return {
        "about": "Offline access grants of Glovebox, version 1; docs/grants/README.md explains each byte.",
        "keys": {name: _key(key) for name, key in KEYS.items()},
        "labels": {
            name.lower(): value.hex() for name, value in vars(g.Label).items() if isinstance(value, bytes)
        },
        "good": [
            _pairing(),
            _grant(),
            _challenge(),
            _proof(),
            _receipt(),
            _revocations(),
            _acknowledgement(),
        ],
        "refused": _refused(),
    }


def _key(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    public = key.public_key()
    return {
        "private": key.private_numbers().private_value.to_bytes(32).hex(),
        "public": g.compressed(public).hex(),
        "key_id": g.key_id(public).hex(),
    }


def _one(
    what: str, by: str, label: bytes, body: bytes, signature: bytes, fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "what": what,
        "signed_by": by,
        "label": label.hex(),
        "fields": fields,
        "body": body.hex(),
        "signature": signature.hex(),
    }


def _cut(whole: bytes) -> tuple[bytes, bytes]:
    return whole[: -g.SIGNATURE_BYTES], whole[-g.SIGNATURE_BYTES :]


def _pairing() -> dict[str, Any]:
    fields = {"box_id": BOX_ID.hex(), "box_key": g.compressed(KEYS["box"].public_key()).hex()}
    whole = g.pairing_record(KEYS["box"], BOX_ID)
    return _one("pairing", "box", g.Label.PAIRING, *_cut(whole), fields)


def the_grant() -> g.Grant:
    return g.Grant(
        issuer_key_id=g.key_id(KEYS["issuer"].public_key()),
        grant_id=bytes(range(16)),
        box_id=BOX_ID,
        rental_hash=g.rental_hash(RENTAL),
        holder_key=g.compressed(KEYS["holder"].public_key()),
        rights=g.Right.UNLOCK | g.Right.LOCK | g.Right.ENABLE_DRIVE | g.Right.END_RENTAL,
        not_before=START,
        not_after=END,
        revocation_floor=7,
    )


def _grant() -> dict[str, Any]:
    found = the_grant()
    fields = {
        "issuer_key_id": found.issuer_key_id.hex(),
        "grant_id": found.grant_id.hex(),
        "box_id": found.box_id.hex(),
        "rental": RENTAL,
        "rental_hash": found.rental_hash.hex(),
        "holder_key": found.holder_key.hex(),
        "rights": int(found.rights),
        "not_before": found.not_before,
        "not_after": found.not_after,
        "revocation_floor": found.revocation_floor,
    }
    return _one("grant", "issuer", g.Label.GRANT, *_cut(g.issue(KEYS["issuer"], found)), fields)


def _challenge() -> dict[str, Any]:
    found = Challenge(CHALLENGE, OPENED, 3, b"")
    message = found.message(NONCE, the_grant().grant_id)
    fields = {
        "nonce": NONCE.hex(),
        "challenge": CHALLENGE.hex(),
        "box_time": OPENED,
        "boot_epoch": 3,
        "grant_id": the_grant().grant_id.hex(),
    }
    signature = g.signed(KEYS["box"], g.Label.CHALLENGE, message)
    return _one("challenge", "box", g.Label.CHALLENGE, message, signature, fields)


def _proof() -> dict[str, Any]:
    grant = the_grant()
    message = proof_message(BOX_ID, CHALLENGE, NONCE, g.Right.UNLOCK, grant.grant_id)
    fields = {
        "box_id": BOX_ID.hex(),
        "challenge": CHALLENGE.hex(),
        "nonce": NONCE.hex(),
        "operation": int(g.Right.UNLOCK),
        "grant_id": grant.grant_id.hex(),
    }
    signature = prove(KEYS["holder"], grant, CHALLENGE, NONCE, g.Right.UNLOCK)
    return _one("proof", "holder", g.Label.PROOF, message, signature, fields)


def the_receipt() -> Receipt:
    plain = Receipt(
        the_grant().grant_id, BOX_ID, g.Right.UNLOCK, OPENED + 1, 42, locked=False, odometer_km=41_940
    )
    return replace(plain, signature=g.signed(KEYS["box"], g.Label.RECEIPT, plain.body()))


def _receipt() -> dict[str, Any]:
    found = the_receipt()
    fields = {
        "grant_id": found.grant_id.hex(),
        "box_id": found.box_id.hex(),
        "operation": int(found.operation),
        "box_time": found.box_time,
        "sequence": found.sequence,
        "locked": int(found.locked),
        "odometer_km": found.odometer_km,
    }
    return _one("receipt", "box", g.Label.RECEIPT, found.body(), found.signature, fields)


def the_revocations() -> bytes:
    following = g.compressed(KEYS["next_issuer"].public_key())
    ids = (bytes([1]) * 16, bytes([2]) * 16)
    found = Revocations(the_grant().issuer_key_id, BOX_ID, 5, 7, following, ids)
    return issue_revocations(KEYS["issuer"], found)


def _revocations() -> dict[str, Any]:
    fields = {
        "issuer_key_id": the_grant().issuer_key_id.hex(),
        "box_id": BOX_ID.hex(),
        "serial": 5,
        "floor": 7,
        "next_issuer": g.compressed(KEYS["next_issuer"].public_key()).hex(),
        "grant_ids": ["01" * 16, "02" * 16],
    }
    return _one("revocations", "issuer", g.Label.REVOCATIONS, *_cut(the_revocations()), fields)


def _acknowledgement() -> dict[str, Any]:
    plain = Acknowledgement(BOX_ID, 5, 7, OPENED + 2, 42)
    fields = {"box_id": BOX_ID.hex(), "serial": 5, "floor": 7, "box_time": OPENED + 2, "sequence": 42}
    signature = g.signed(KEYS["box"], g.Label.ACKNOWLEDGEMENT, plain.body())
    return _one("acknowledgement", "box", g.Label.ACKNOWLEDGEMENT, plain.body(), signature, fields)


def _refused() -> list[dict[str, str]]:
    """What a reader must refuse, with the layout it claims to be."""
    grant, receipt, listed = g.issue(KEYS["issuer"], the_grant()), the_receipt().encode(), the_revocations()
    body = grant[: -g.SIGNATURE_BYTES]
    stranger = ec.derive_private_key(2001, ec.SECP256R1())
    other_label = body + g.signed(KEYS["issuer"], g.Label.RECEIPT, body)
    version_2 = b"\x02" + body[1:]
    cases = {
        ("grant", "one byte of the window is changed"): grant[:80] + bytes([grant[80] ^ 1]) + grant[81:],
        ("grant", "signed by a key that is not pinned"): body + g.signed(stranger, g.Label.GRANT, body),
        ("grant", "signed under another label"): other_label,
        ("grant", "another version, well signed"): version_2
        + g.signed(KEYS["issuer"], g.Label.GRANT, version_2),
        ("grant", "a byte too long"): grant + b"\x00",
        ("grant", "a byte too short"): grant[:-1],
        ("grant", "a signature of zeros"): body + bytes(g.SIGNATURE_BYTES),
        ("receipt", "one byte of the sequence is changed"): receipt[:45]
        + bytes([receipt[45] ^ 1])
        + receipt[46:],
        ("receipt", "a byte too short"): receipt[:-1],
        ("revocations", "fewer ids than it counts"): listed[:64] + listed[80:],
        ("revocations", "one byte of the serial is changed"): listed[:25]
        + bytes([listed[25] ^ 1])
        + listed[26:],
    }
    return [{"what": what, "why": why, "whole": whole.hex()} for (what, why), whole in cases.items()]


def text() -> str:
    return json.dumps(made(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
