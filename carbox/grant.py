"""Offline access grants: issued by us, carried by a phone, checked by a box without network.

P-256 and SHA-256 throughout, fixed binary layouts, a separate label before each thing that is signed, no
algorithm chosen by the sender. Signatures are those of RFC 6979: no box needs randomness to sign, and
`docs/grants/vectors.json` can be made again byte by byte. This is the reference for a companion box; no
hardware speaks it yet.

Grant, 153 bytes, big endian::

    version 1 | type 1 | issuer key id 4 | grant id 16 | box id 16 | rental hash 4 | holder key 33
    | rights 2 | not before 4 | not after 4 | revocation floor 4  = 89, then the issuer's signature r || s
"""

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION: Final = 1
TYPE_RENTAL: Final = 1
BODY: Final = struct.Struct(">BB4s16s16s4s33sHIII")
SIGNATURE_BYTES: Final = 64
KEY_BYTES: Final = 33
BOX_ID_BYTES: Final = 16
PAIRING_BYTES: Final = BOX_ID_BYTES + KEY_BYTES + SIGNATURE_BYTES
GRANT_BYTES: Final = BODY.size + SIGNATURE_BYTES
LONGEST_GRANT_S: Final = 30 * 86_400
_SIGNED: Final = ec.ECDSA(SHA256(), deterministic_signing=True)
_HALF: Final = SIGNATURE_BYTES // 2


def b64(raw: bytes) -> str:
    """Base64url without padding, as the API and QR codes carry all of this."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of `b64`. Raises BadGrant."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadGrant("not base64url") from error


class Label:
    """What a signature is for; a signature under one label is nothing under another."""

    GRANT: Final = b"glovebox/grant/v1\x00"
    CHALLENGE: Final = b"glovebox/challenge/v1\x00"
    PROOF: Final = b"glovebox/proof/v1\x00"
    RECEIPT: Final = b"glovebox/receipt/v1\x00"
    REVOCATIONS: Final = b"glovebox/revocations/v1\x00"
    ACKNOWLEDGEMENT: Final = b"glovebox/acknowledgement/v1\x00"
    PAIRING: Final = b"glovebox/pairing/v1\x00"


class Right(IntFlag):
    UNLOCK = 1
    LOCK = 2
    ENABLE_DRIVE = 4
    END_RENTAL = 8


class BadGrant(Exception):
    """Not a grant that opens this box now; the reason is the message."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Times are whole Unix seconds, UTC; the window is half-open [not_before, not_after)."""

    issuer_key_id: bytes
    grant_id: bytes
    box_id: bytes
    rental_hash: bytes
    holder_key: bytes
    rights: Right
    not_before: int
    not_after: int
    revocation_floor: int

    def body(self) -> bytes:
        """The 89 bytes that are signed. Raises BadGrant for a field of the wrong size."""
        sized = (
            (self.issuer_key_id, 4),
            (self.grant_id, 16),
            (self.box_id, 16),
            (self.rental_hash, 4),
            (self.holder_key, 33),
        )
        if any(len(value) != size for value, size in sized):
            raise BadGrant("a field has the wrong length")
        if not self.not_before < self.not_after <= self.not_before + LONGEST_GRANT_S:
            raise BadGrant("the window is empty, reversed or too long")
        fields = (*(value for value, _size in sized), int(self.rights))
        return BODY.pack(
            VERSION, TYPE_RENTAL, *fields, self.not_before, self.not_after, self.revocation_floor
        )


def rental_hash(rental_id: str) -> bytes:
    """The four bytes by which a receipt finds its rental again."""
    return hashlib.sha256(b"glovebox/rental\x00" + rental_id.encode()).digest()[:4]


def compressed(key: ec.EllipticCurvePublicKey) -> bytes:
    """A P-256 public key in 33 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def public_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """Raises BadGrant for what is no point of P-256."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError as problem:
        raise BadGrant("not a P-256 key") from problem


def key_id(key: ec.EllipticCurvePublicKey) -> bytes:
    """The four bytes by which a box finds the issuing key among its pinned ones."""
    return hashlib.sha256(compressed(key)).digest()[:4]


def signed(key: ec.EllipticCurvePrivateKey, label: bytes, message: bytes) -> bytes:
    """The 64 bytes r || s over label and message."""
    r, s = decode_dss_signature(key.sign(label + message, _SIGNED))
    return r.to_bytes(_HALF) + s.to_bytes(_HALF)


def is_signed(key: ec.EllipticCurvePublicKey, label: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    try:
        key.verify(encode_dss_signature(r, s), label + message, _SIGNED)
    except InvalidSignature:
        return False
    return True


def issue(key: ec.EllipticCurvePrivateKey, grant: Grant) -> bytes:
    """The 153 bytes a phone carries. Raises BadGrant."""
    if grant.issuer_key_id != key_id(key.public_key()):
        raise BadGrant("the grant names another issuing key")
    public_key(grant.holder_key)
    body = grant.body()
    return body + signed(key, Label.GRANT, body)


def read(data: bytes, issuers: Mapping[bytes, ec.EllipticCurvePublicKey]) -> Grant:
    """The grant in these bytes, its signature checked against the pinned issuers. Raises BadGrant."""
    if len(data) != GRANT_BYTES:
        raise BadGrant("wrong length")
    version, kind, issuer, *fields = BODY.unpack(data[: BODY.size])
    if (version, kind) != (VERSION, TYPE_RENTAL):
        raise BadGrant("unknown version or type")
    key = issuers.get(issuer)
    if key is None or not is_signed(key, Label.GRANT, data[: BODY.size], data[BODY.size :]):
        raise BadGrant("not signed by an issuer of this box")
    grant_id, box_id, rental, holder, rights, not_before, not_after, floor = fields
    grant = Grant(issuer, grant_id, box_id, rental, holder, Right(rights), not_before, not_after, floor)
    if grant.body() != data[: BODY.size]:
        raise BadGrant("not in its one encoding")
    public_key(holder)
    return grant


def pairing_record(key: ec.EllipticCurvePrivateKey, box_id: bytes) -> bytes:
    """The 113 bytes by which a box proves, once, that its id and its key belong together: id | key | signature."""
    body = box_id + compressed(key.public_key())
    return body + signed(key, Label.PAIRING, body)


def read_pairing(data: bytes) -> tuple[bytes, ec.EllipticCurvePublicKey]:
    """Box id and key of a pairing record. Raises BadGrant."""
    if len(data) != PAIRING_BYTES:
        raise BadGrant("wrong length")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    key = public_key(body[BOX_ID_BYTES:])
    if not is_signed(key, Label.PAIRING, body, signature):
        raise BadGrant("not signed by the key it names")
    return body[:BOX_ID_BYTES], key
