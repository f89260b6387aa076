"""What takes grants back before their time: a signed list per box, carried by a phone or sent, and acknowledged.

List, big endian::

    version 1 | type 1 | issuer key id 4 | box id 16 | serial 4 | floor 4 | next issuer's key 33 | count 1
    = 64, then count x grant id 16 (at most 64), then the issuer's signature r || s

A list replaces the one with a lower serial. Grants issued under a lower floor are dead; the list holds those that
are revoked one by one and have not run out. The next issuer's key lets a box follow when the signing key changes.

Acknowledgement, 100 bytes::

    box id 16 | serial 4 | floor 4 | box time 8 | sequence 4 = 36, then the box's signature r || s

`sequence` is the last receipt the box had written when it took the list: what it did before, those receipts tell.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from carbox.grant import (
    BOX_ID_BYTES,
    SIGNATURE_BYTES,
    VERSION,
    BadGrant,
    Label,
    is_signed,
    key_id,
    public_key,
    signed,
)

TYPE_REVOCATIONS: Final = 2
MOST_REVOKED: Final = 64
GRANT_ID_BYTES: Final = 16
HEAD: Final = struct.Struct(">BB4s16sII33sB")
ACKNOWLEDGEMENT: Final = struct.Struct(">16sIIQI")
ACKNOWLEDGEMENT_BYTES: Final = ACKNOWLEDGEMENT.size + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Revocations:
    """Which grants of one box are dead."""

    issuer_key_id: bytes
    box_id: bytes
    serial: int
    floor: int
    next_issuer: bytes
    grant_ids: tuple[bytes, ...] = ()

    def body(self) -> bytes:
        """The bytes that are signed. Raises BadGrant for a field of the wrong size, or a list too long."""
        if len(self.box_id) != BOX_ID_BYTES or any(len(one) != GRANT_ID_BYTES for one in self.grant_ids):
            raise BadGrant("a field has the wrong length")
        if len(self.grant_ids) > MOST_REVOKED:
            raise BadGrant("the list is full: raise the floor")
        public_key(self.next_issuer)
        head = HEAD.pack(
            VERSION,
            TYPE_REVOCATIONS,
            self.issuer_key_id,
            self.box_id,
            self.serial,
            self.floor,
            self.next_issuer,
            len(self.grant_ids),
        )
        return head + b"".join(self.grant_ids)


def issue_revocations(key: ec.EllipticCurvePrivateKey, revocations: Revocations) -> bytes:
    """The list as a phone or the network carries it. Raises BadGrant."""
    if revocations.issuer_key_id != key_id(key.public_key()):
        raise BadGrant("the list names another issuing key")
    body = revocations.body()
    return body + signed(key, Label.REVOCATIONS, body)


def read_revocations(data: bytes, issuers: Mapping[bytes, ec.EllipticCurvePublicKey]) -> Revocations:
    """The list in these bytes, its signature checked against the pinned issuers. Raises BadGrant."""
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    if len(body) < HEAD.size:
        raise BadGrant("wrong length")
    version, kind, issuer, box_id, serial, floor, following, count = HEAD.unpack(body[: HEAD.size])
    if (version, kind) != (VERSION, TYPE_REVOCATIONS):
        raise BadGrant("unknown version or type")
    if len(body) != HEAD.size + count * GRANT_ID_BYTES:
        raise BadGrant("wrong length")
    key = issuers.get(issuer)
    if key is None or not is_signed(key, Label.REVOCATIONS, body, signature):
        raise BadGrant("not signed by an issuer of this box")
    ids = tuple(body[at : at + GRANT_ID_BYTES] for at in range(HEAD.size, len(body), GRANT_ID_BYTES))
    found = Revocations(issuer, box_id, serial, floor, following, ids)
    if found.body() != body:
        raise BadGrant("not in its one encoding")
    return found


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A box's word that it goes by the list of this serial and floor."""

    box_id: bytes
    serial: int
    floor: int
    box_time: int
    sequence: int
    signature: bytes = b""

    def body(self) -> bytes:
        return ACKNOWLEDGEMENT.pack(self.box_id, self.serial, self.floor, self.box_time, self.sequence)

    def encode(self) -> bytes:
        """The 100 bytes that are handed on."""
        return self.body() + self.signature

    def is_from(self, box_key: ec.EllipticCurvePublicKey) -> bool:
        return is_signed(box_key, Label.ACKNOWLEDGEMENT, self.body(), self.signature)


def read_acknowledgement(data: bytes) -> Acknowledgement:
    """What these bytes say; whose they are is for `is_from` to tell. Raises BadGrant."""
    if len(data) != ACKNOWLEDGEMENT_BYTES:
        raise BadGrant("wrong length")
    box_id, serial, floor, box_time, sequence = ACKNOWLEDGEMENT.unpack(data[: ACKNOWLEDGEMENT.size])
    return Acknowledgement(box_id, serial, floor, box_time, sequence, data[ACKNOWLEDGEMENT.size :])
