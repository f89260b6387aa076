"""What box and phone say to each other over a grant, as a box must do it: the reference and its rules.

1 phone -> grant, nonce 16. 2 box -> challenge 32, its time and boot epoch, signed by the box. 3 phone ->
operation, signed by the holder's key over box, challenge, nonce, operation and grant. 4 box acts -> signed
receipt. Before or after, the phone may bring a list of revocations (`carbox/revocations.py`), which the box
acknowledges.
"""

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from carbox.grant import (
    SIGNATURE_BYTES,
    BadGrant,
    Grant,
    Label,
    Right,
    is_signed,
    key_id,
    public_key,
    read,
    signed,
)
from carbox.revocations import MOST_REVOKED, Acknowledgement, read_revocations

NONCE_BYTES: Final = 16
CHALLENGE_BYTES: Final = 32
CHALLENGE_LIVES_S: Final = 10.0
EDGE_S: Final = 120
MOST_ISSUERS: Final = 3
RECEIPT: Final = struct.Struct(">16s16sHQIBI")
RECEIPT_BYTES: Final = RECEIPT.size + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Challenge:
    challenge: bytes
    box_time: int
    boot_epoch: int
    signature: bytes

    def message(self, nonce: bytes, grant_id: bytes) -> bytes:
        return nonce + self.challenge + struct.pack(">QI", self.box_time, self.boot_epoch) + grant_id


def proof_message(box_id: bytes, challenge: bytes, nonce: bytes, operation: Right, grant_id: bytes) -> bytes:
    """What the phone signs."""
    return box_id + challenge + nonce + struct.pack(">H", int(operation)) + grant_id


def prove(
    key: ec.EllipticCurvePrivateKey, grant: Grant, challenge: bytes, nonce: bytes, operation: Right
) -> bytes:
    """The phone's side of step 3."""
    return signed(key, Label.PROOF, proof_message(grant.box_id, challenge, nonce, operation, grant.grant_id))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the box did; (box id, sequence) is unique, a gap is a missing record."""

    grant_id: bytes
    box_id: bytes
    operation: Right
    box_time: int
    sequence: int
    locked: bool
    odometer_km: int
    signature: bytes = b""

    def body(self) -> bytes:
        values = (self.box_time, self.sequence, int(self.locked), self.odometer_km)
        return RECEIPT.pack(self.grant_id, self.box_id, int(self.operation), *values)

    def encode(self) -> bytes:
        """The 115 bytes that are handed on."""
        return self.body() + self.signature

    def is_from(self, box_key: ec.EllipticCurvePublicKey) -> bool:
        return is_signed(box_key, Label.RECEIPT, self.body(), self.signature)


def read_receipt(data: bytes) -> Receipt:
    """What these bytes say; whose they are is for `is_from` to tell. Raises BadGrant."""
    if len(data) != RECEIPT_BYTES:
        raise BadGrant("wrong length")
    grant_id, box_id, operation, *numbers, locked, odometer = RECEIPT.unpack(data[: RECEIPT.size])
    if operation not in {int(one) for one in Right} or locked > 1:
        raise BadGrant("not in its one encoding")
    box_time, sequence = numbers
    return Receipt(
        grant_id,
        box_id,
        Right(operation),
        box_time,
        sequence,
        locked=bool(locked),
        odometer_km=odometer,
        signature=data[RECEIPT.size :],
    )


@dataclass(slots=True)
class BoxVerifier:
    """A box without network. `clock` returns Unix seconds or None when unknown since boot.

    `act` gets the operation, moves the car and returns (locked, odometer in km); it raises BadGrant when the car
    is not ready for it, and then nothing has happened. What a real box keeps in flash: `issuers`, `sequence`,
    `serial`, `floor`, `revoked`, `ended`, `last_time`, `last_holder`. `ended` holds rental hashes: a rental that
    has ended opens by none of its grants.
    """

    box_id: bytes
    key: ec.EllipticCurvePrivateKey
    issuers: dict[bytes, ec.EllipticCurvePublicKey]
    clock: Callable[[], int | None]
    act: Callable[[Right], tuple[bool, int]]
    boot_epoch: int = 1
    serial: int = 0
    floor: int = 0
    revoked: set[bytes] = field(default_factory=set)
    ended: set[bytes] = field(default_factory=set)
    last_time: int = 0
    last_holder: bytes = b""
    sequence: int = 0
    ticks: Callable[[], float] = time.monotonic
    _open: tuple[Grant, bytes, bytes, float] | None = None

    def hello(self, data: bytes, nonce: bytes) -> Challenge:
        """Step 2. One challenge is open at a time, for ten seconds. Raises BadGrant."""
        self._open = None
        if len(nonce) != NONCE_BYTES:
            raise BadGrant("wrong nonce")
        grant = read(data, self.issuers)
        self._check(grant)
        fresh = secrets.token_bytes(CHALLENGE_BYTES)
        unsigned = Challenge(fresh, self.clock() or 0, self.boot_epoch, b"")
        signature = signed(self.key, Label.CHALLENGE, unsigned.message(nonce, grant.grant_id))
        self._open = (grant, fresh, nonce, self.ticks() + CHALLENGE_LIVES_S)
        return Challenge(fresh, unsigned.box_time, self.boot_epoch, signature)

    def operate(self, operation: Right, signature: bytes) -> Receipt:
        """Step 4. The challenge is used up whatever happens. Raises BadGrant."""
        opened, self._open = self._open, None
        if opened is None or self.ticks() > opened[3]:
            raise BadGrant("no open challenge")
        grant, challenge, nonce, _until = opened
        if operation not in set(Right) or not grant.rights & operation:
            raise BadGrant("not among the rights")
        message = proof_message(self.box_id, challenge, nonce, operation, grant.grant_id)
        if not is_signed(public_key(grant.holder_key), Label.PROOF, message, signature):
            raise BadGrant("not the holder's phone")
        self._check(grant, operation)
        receipt = self._receipt(grant, operation)
        if operation is Right.END_RENTAL:
            self.ended.add(grant.rental_hash)
        return receipt

    def take_revocations(self, data: bytes) -> Acknowledgement:
        """A list brought by a phone or over the network; an older one changes nothing. Raises BadGrant.

        The acknowledgement names what the box goes by now, and the last receipt it had written before.
        """
        found = read_revocations(data, self.issuers)
        if found.box_id != self.box_id:
            raise BadGrant("for another box")
        if found.serial > self.serial:
            self.serial, self.floor = found.serial, max(self.floor, found.floor)
            self.revoked = set(found.grant_ids)
            self._pin(public_key(found.next_issuer))
        return self.acknowledgement()

    def acknowledgement(self) -> Acknowledgement:
        """The box's word on which list it goes by, the first thing it says when it has a network of its own."""
        self._look_at_clock()
        plain = Acknowledgement(self.box_id, self.serial, self.floor, self.last_time, self.sequence)
        return replace(plain, signature=signed(self.key, Label.ACKNOWLEDGEMENT, plain.body()))

    def _pin(self, key: ec.EllipticCurvePublicKey) -> None:
        """The next issuer, named by one that is known; the oldest goes."""
        self.issuers[key_id(key)] = key
        while len(self.issuers) > MOST_ISSUERS:
            del self.issuers[next(iter(self.issuers))]

    def revoke(self, *, floor: int | None = None, grant_ids: tuple[bytes, ...] = ()) -> None:
        """By hand, as at an installer's bench. Raises ValueError when the list is full: raise the floor."""
        if len(self.revoked | set(grant_ids)) > MOST_REVOKED:
            raise ValueError("the list is full: raise the floor")
        self.revoked.update(grant_ids)
        self.floor = max(self.floor, floor or 0)

    def _check(self, grant: Grant, operation: Right = Right.LOCK) -> None:
        """Whoever unlocked last may always lock, and end, however late; everything else needs a live grant."""
        if grant.box_id != self.box_id:
            raise BadGrant("for another box")
        now = self._look_at_clock()
        if operation in (Right.LOCK, Right.END_RENTAL) and grant.grant_id == self.last_holder:
            return
        if grant.grant_id in self.revoked or grant.revocation_floor < self.floor:
            raise BadGrant("revoked")
        if grant.rental_hash in self.ended:
            raise BadGrant("the rental has ended")
        if now is None:
            raise BadGrant("the box does not know the time")
        if not grant.not_before - EDGE_S <= now < grant.not_after + EDGE_S:
            raise BadGrant("outside its time")

    def _look_at_clock(self) -> int | None:
        now = self.clock()
        if now is not None:
            self.last_time = now = max(now, self.last_time)  # the clock never moves back
        return now

    def _receipt(self, grant: Grant, operation: Right) -> Receipt:
        locked, odometer = self.act(operation)
        if operation is Right.UNLOCK:
            self.last_holder = grant.grant_id
        self.sequence += 1
        plain = Receipt(
            grant.grant_id, self.box_id, operation, self.last_time, self.sequence, locked, odometer
        )
        return replace(plain, signature=signed(self.key, Label.RECEIPT, plain.body()))
