"""The frames in which a phone near the car asks and the box answers: what one BLE write and its notification hold.

Question: kind 1, then what the kind wants. Answer: 0 and the content, or 1 and why not (UTF-8).

======  =================================================  =====================================================
kind    question                                           answer
======  =================================================  =====================================================
1       grant 153, nonce 16                                challenge 32, box time 8, boot epoch 4, signature 64
2       operation 2, signature 64 of the holder's key      receipt 115
3       list of revocations, 128 to 1152                   acknowledgement 100
4       grant id 16                                        the receipts written under that grant, 115 each
======  =================================================  =====================================================
"""

import struct
from enum import IntEnum
from typing import Final

from carbox.grant import GRANT_BYTES, SIGNATURE_BYTES, BadGrant, Right
from carbox.grant_exchange import CHALLENGE_BYTES, NONCE_BYTES, RECEIPT_BYTES, BoxVerifier, Challenge, Receipt

_CHALLENGE: Final = struct.Struct(f">{CHALLENGE_BYTES}sQI{SIGNATURE_BYTES}s")
_OPERATION: Final = struct.Struct(f">H{SIGNATURE_BYTES}s")
_DONE, _REFUSED = b"\x00", b"\x01"


class Ask(IntEnum):
    HELLO = 1
    OPERATE = 2
    REVOCATIONS = 3
    RECEIPTS = 4


def hello(grant: bytes, nonce: bytes) -> bytes:
    return bytes([Ask.HELLO]) + grant + nonce


def operate(operation: Right, signature: bytes) -> bytes:
    return bytes([Ask.OPERATE]) + _OPERATION.pack(int(operation), signature)


def revocations(data: bytes) -> bytes:
    return bytes([Ask.REVOCATIONS]) + data


def receipts(grant_id: bytes) -> bytes:
    return bytes([Ask.RECEIPTS]) + grant_id


def content(answer: bytes) -> bytes:
    """What an answer holds. Raises BadGrant with the box's reason."""
    if answer[:1] == _DONE:
        return answer[1:]
    raise BadGrant(answer[1:].decode(errors="replace") or "no answer")


def challenge_of(found: bytes) -> Challenge:
    """Raises BadGrant."""
    if len(found) != _CHALLENGE.size:
        raise BadGrant("wrong length")
    return Challenge(*_CHALLENGE.unpack(found))


def receipts_of(found: bytes) -> list[bytes]:
    return [found[at : at + RECEIPT_BYTES] for at in range(0, len(found), RECEIPT_BYTES)]


def answer(box: BoxVerifier, kept: list[Receipt], question: bytes) -> bytes:
    """The box's side: whatever comes, one answer. `kept` are the receipts it has written; new ones are added."""
    try:
        return _DONE + _answer(box, kept, question[:1], question[1:])
    except BadGrant as refusal:
        return _REFUSED + str(refusal).encode()


def _answer(box: BoxVerifier, kept: list[Receipt], kind: bytes, rest: bytes) -> bytes:
    if kind == bytes([Ask.HELLO]) and len(rest) == GRANT_BYTES + NONCE_BYTES:
        made = box.hello(rest[:GRANT_BYTES], rest[GRANT_BYTES:])
        return _CHALLENGE.pack(made.challenge, made.box_time, made.boot_epoch, made.signature)
    if kind == bytes([Ask.OPERATE]) and len(rest) == _OPERATION.size:
        operation, signature = _OPERATION.unpack(rest)
        if operation not in {int(one) for one in Right}:
            raise BadGrant("not among the rights")
        kept.append(box.operate(Right(operation), signature))
        return kept[-1].encode()
    if kind == bytes([Ask.REVOCATIONS]):
        return box.take_revocations(rest).encode()
    if kind == bytes([Ask.RECEIPTS]):
        return b"".join(one.encode() for one in kept if one.grant_id == rest)
    raise BadGrant("not a question")
