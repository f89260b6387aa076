"""The test vectors of docs/grants: made again byte by byte, and verified by arithmetic that shares nothing with our code."""

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carbox.grant import BadGrant, public_key, read, read_pairing
from carbox.grant_exchange import read_receipt
from carbox.revocations import read_acknowledgement, read_revocations

ROOT = Path(__file__).parent.parent.parent
VECTORS: dict[str, Any] = json.loads((ROOT / "docs" / "grants" / "vectors.json").read_text("utf-8"))
LAYOUT = {
    "pairing": {"box_id": 16, "box_key": 33},
    "grant": {
        "version": 1, "kind": 1, "issuer_key_id": 4, "grant_id": 16, "box_id": 16, "rental_hash": 4,
        "holder_key": 33, "rights": 2, "not_before": 4, "not_after": 4, "revocation_floor": 4,
    },
    "challenge": {"nonce": 16, "challenge": 32, "box_time": 8, "boot_epoch": 4, "grant_id": 16},
    "proof": {"box_id": 16, "challenge": 32, "nonce": 16, "operation": 2, "grant_id": 16},
    "receipt": {
        "grant_id": 16, "box_id": 16, "operation": 2, "box_time": 8, "sequence": 4, "locked": 1, "odometer_km": 4,
    },
    "revocations": {
        "version": 1, "kind": 1, "issuer_key_id": 4, "box_id": 16, "serial": 4, "floor": 4, "next_issuer": 33,
        "count": 1, "grant_ids": 32,
    },
    "acknowledgement": {"box_id": 16, "serial": 4, "floor": 4, "box_time": 8, "sequence": 4},
}  # fmt: skip
"""As docs/grants/README.md has it: name and bytes, in order."""
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def added(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    if one == two:
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P)
    x = (slope * slope - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(factor: int, point: Point) -> Point:
    found: Point = None
    while factor:
        found = added(found, point) if factor & 1 else found
        point, factor = added(point, point), factor >> 1
    return found


def point_of(compressed: bytes) -> Point:
    x = int.from_bytes(compressed[1:])
    y = pow(x**3 - 3 * x + B, (P + 1) // 4, P)
    return x, y if y % 2 == compressed[0] % 2 else P - y


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """ECDSA on P-256 as FIPS 186 has it."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < N and 0 < s < N):
        return False
    digest, inverse = int.from_bytes(hashlib.sha256(message).digest()), pow(s, -1, N)
    point = added(times(digest * inverse % N, G), times(r * inverse % N, point_of(public)))
    return point is not None and point[0] % N == r


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grant_vectors", ROOT / "tools" / "grant_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def good(what: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in VECTORS["good"] if one["what"] == what)
    return found


def issuers() -> dict[bytes, Any]:
    key = VECTORS["keys"]["issuer"]
    return {bytes.fromhex(key["key_id"]): public_key(bytes.fromhex(key["public"]))}


READERS: dict[str, Any] = {
    "pairing": read_pairing,
    "grant": lambda whole: read(whole, issuers()),
    "receipt": lambda whole: accept(read_receipt(whole)),
    "revocations": lambda whole: read_revocations(whole, issuers()),
    "acknowledgement": lambda whole: accept(read_acknowledgement(whole)),
}


def accept(found: Any) -> Any:
    if not found.is_from(public_key(bytes.fromhex(VECTORS["keys"]["box"]["public"]))):
        raise BadGrant("not the box's")
    return found


def test_the_file_is_what_the_tool_makes() -> None:
    assert (ROOT / "docs" / "grants" / "vectors.json").read_text("utf-8") == tool().text(), (
        "run python tools/grant_vectors.py"
    )


@pytest.mark.parametrize("what", LAYOUT)
def test_each_signature_verifies_by_plain_arithmetic_under_its_own_label_alone(what: str) -> None:
    one = good(what)
    public = bytes.fromhex(VECTORS["keys"][one["signed_by"]]["public"])
    body, signature = bytes.fromhex(one["body"]), bytes.fromhex(one["signature"])
    assert verifies(public, bytes.fromhex(VECTORS["labels"][what]) + body, signature)
    assert not verifies(public, body, signature)


@pytest.mark.parametrize("what", LAYOUT)
def test_each_body_lies_as_the_page_says(what: str) -> None:
    one, at = good(what), 0
    body, values = bytes.fromhex(one["body"]), {**one["fields"], "version": 1, "count": 2}
    values.setdefault("kind", {"grant": 1, "revocations": 2}.get(what))
    for name, size in LAYOUT[what].items():
        value, found = values[name], body[at : at + size]
        expected = "".join(value) if isinstance(value, list) else value
        assert found == (expected.to_bytes(size) if isinstance(expected, int) else bytes.fromhex(expected)), (
            name
        )
        at += size
    assert at == len(body)


@pytest.mark.parametrize("what", READERS)
def test_what_is_good_is_read(what: str) -> None:
    one = good(what)
    READERS[what](bytes.fromhex(one["body"] + one["signature"]))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: f"{case['what']}: {case['why']}")
def test_what_is_not_good_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(BadGrant):
        READERS[case["what"]](bytes.fromhex(case["whole"]))


def test_the_rental_is_found_by_its_hash() -> None:
    fields = good("grant")["fields"]
    digest = hashlib.sha256(b"glovebox/rental\x00" + fields["rental"].encode()).digest()
    assert fields["rental_hash"] == digest[:4].hex()
