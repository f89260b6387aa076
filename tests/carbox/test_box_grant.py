from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from carbox.grant import (
    GRANT_BYTES,
    BadGrant,
    Grant,
    Label,
    Right,
    compressed,
    is_signed,
    issue,
    key_id,
    read,
    rental_hash,
    signed,
)
from carbox.grant_exchange import BoxVerifier, Challenge, Receipt, prove

ISSUER, HOLDER, BOX_KEY, STRANGER = (ec.derive_private_key(1001 + n, ec.SECP256R1()) for n in range(4))
BOX_ID, NONCE = bytes(range(16, 32)), b"n" * 16
START, END = 1_800_000_000, 1_800_003_600
GRANT = Grant(
    issuer_key_id=key_id(ISSUER.public_key()),
    grant_id=bytes(range(16)),
    box_id=BOX_ID,
    rental_hash=rental_hash("ren_1"),
    holder_key=compressed(HOLDER.public_key()),
    rights=Right.UNLOCK | Right.LOCK,
    not_before=START,
    not_after=END,
    revocation_floor=7,
)
ISSUERS = {key_id(ISSUER.public_key()): ISSUER.public_key()}
VECTOR_BODY = (
    "010103ecb41f000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f728cda7003f728c57e47115f"
    "2e20cc0dcbf9680a1a9ac29309fc28928af7ea01cd36b4b7b900036b49d2006b49e01000000007"
)
VECTOR_SIGNATURE = (
    "ce628ffcfcea70a64ac9acdf3bd147e7de3819e197c3cef1e65e0b174016de1e"
    "9f2ade632dc840794480e2bd1a79e190f1741e75f96c062ccbe0f2c389482249"
)


@dataclass
class Scene:
    """A box with a clock that the test turns, and the phone that talks to it."""

    now: int | None = START + 60
    ticks: float = 0.0
    done: list[Right] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.box = BoxVerifier(
            BOX_ID, BOX_KEY, dict(ISSUERS), lambda: self.now, self._act, floor=7, ticks=lambda: self.ticks
        )

    def _act(self, operation: Right) -> tuple[bool, int]:
        self.done.append(operation)
        return operation is Right.LOCK, 41_940

    def ask(self, operation: Right, grant: Grant = GRANT) -> Receipt:
        challenge = self.box.hello(issue(ISSUER, grant), NONCE)
        return self.box.operate(operation, prove(HOLDER, grant, challenge.challenge, NONCE, operation))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_vector_is_read_and_its_body_written_again() -> None:
    data = bytes.fromhex(VECTOR_BODY + VECTOR_SIGNATURE)
    assert len(data) == GRANT_BYTES == 153
    assert read(data, ISSUERS) == GRANT
    assert GRANT.body().hex() == VECTOR_BODY


def test_every_changed_byte_breaks_a_grant() -> None:
    data = issue(ISSUER, GRANT)
    for index in range(len(data)):
        with pytest.raises(BadGrant):
            read(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :], ISSUERS)
    for wrong in (data[:-1], data + b"\x00", b""):
        with pytest.raises(BadGrant):
            read(wrong, ISSUERS)


def test_a_signature_is_good_under_its_own_label_only() -> None:
    signature = signed(ISSUER, Label.PROOF, b"text")
    assert is_signed(ISSUER.public_key(), Label.PROOF, b"text", signature)
    assert not is_signed(ISSUER.public_key(), Label.GRANT, b"text", signature)
    assert not is_signed(ISSUER.public_key(), Label.PROOF, b"text", bytes(64))
    assert not is_signed(ISSUER.public_key(), Label.PROOF, b"text", signature + b"\x00")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GRANT, grant_id=b"short"),
        replace(GRANT, not_after=START),
        replace(GRANT, not_after=START + 31 * 86_400),
        replace(GRANT, issuer_key_id=b"else"),
        replace(GRANT, holder_key=bytes(33)),
    ],
)
def test_a_grant_that_no_box_could_use_is_not_issued(wrong: Grant) -> None:
    with pytest.raises(BadGrant):
        issue(ISSUER, wrong)


def test_a_grant_of_another_issuer_is_refused() -> None:
    forged = replace(GRANT, issuer_key_id=key_id(STRANGER.public_key()))
    with pytest.raises(BadGrant):
        read(issue(STRANGER, forged), ISSUERS)


def test_the_box_opens_and_signs_a_receipt(scene: Scene) -> None:
    receipt = scene.ask(Right.UNLOCK)
    assert scene.done == [Right.UNLOCK]
    assert receipt.is_from(BOX_KEY.public_key())
    assert (receipt.sequence, receipt.odometer_km, receipt.locked) == (1, 41_940, False)
    assert not replace(receipt, sequence=2).is_from(BOX_KEY.public_key())
    assert scene.ask(Right.LOCK).sequence == 2


def test_the_phone_knows_the_real_box_by_its_challenge(scene: Scene) -> None:
    challenge = scene.box.hello(issue(ISSUER, GRANT), NONCE)
    message = challenge.message(NONCE, GRANT.grant_id)
    assert is_signed(BOX_KEY.public_key(), Label.CHALLENGE, message, challenge.signature)


def test_a_challenge_is_used_once_and_for_ten_seconds(scene: Scene) -> None:
    challenge = scene.box.hello(issue(ISSUER, GRANT), NONCE)
    proof = prove(HOLDER, GRANT, challenge.challenge, NONCE, Right.UNLOCK)
    scene.box.operate(Right.UNLOCK, proof)
    with pytest.raises(BadGrant, match="challenge"):
        scene.box.operate(Right.UNLOCK, proof)
    challenge = scene.box.hello(issue(ISSUER, GRANT), NONCE)
    scene.ticks = 10.1
    with pytest.raises(BadGrant, match="challenge"):
        scene.box.operate(Right.UNLOCK, prove(HOLDER, GRANT, challenge.challenge, NONCE, Right.UNLOCK))
    assert scene.done == [Right.UNLOCK]


def test_only_the_holders_phone_opens_and_only_what_it_signed(scene: Scene) -> None:
    def tries(answer: Callable[[Challenge], bytes], operation: Right, reason: str) -> None:
        challenge = scene.box.hello(issue(ISSUER, GRANT), NONCE)
        with pytest.raises(BadGrant, match=reason):
            scene.box.operate(operation, answer(challenge))

    tries(lambda c: prove(STRANGER, GRANT, c.challenge, NONCE, Right.UNLOCK), Right.UNLOCK, "phone")
    tries(lambda c: prove(HOLDER, GRANT, c.challenge, NONCE, Right.LOCK), Right.UNLOCK, "phone")
    tries(lambda c: prove(HOLDER, GRANT, c.challenge, b"m" * 16, Right.UNLOCK), Right.UNLOCK, "phone")
    tries(
        lambda c: prove(HOLDER, GRANT, c.challenge, NONCE, Right.ENABLE_DRIVE), Right.ENABLE_DRIVE, "rights"
    )
    both = Right.UNLOCK | Right.LOCK
    tries(lambda c: prove(HOLDER, GRANT, c.challenge, NONCE, both), both, "rights")
    assert scene.done == []


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (START - 121, False),
        (START - 120, True),
        (END + 119, True),
        (END + 120, False),
        (None, False),
    ],
)
def test_the_window_holds_with_two_minutes_at_its_edges(
    scene: Scene, now: int | None, *, opens: bool
) -> None:
    scene.now = now
    if opens:
        assert scene.ask(Right.UNLOCK).is_from(BOX_KEY.public_key())
    else:
        with pytest.raises(BadGrant):
            scene.ask(Right.UNLOCK)


def test_the_boxs_clock_never_moves_back(scene: Scene) -> None:
    scene.ask(Right.UNLOCK)
    scene.now = END + 600
    with pytest.raises(BadGrant):
        scene.ask(Right.UNLOCK)
    scene.now = START + 60
    with pytest.raises(BadGrant):
        scene.ask(Right.UNLOCK)


def test_revoked_grants_and_those_below_the_floor_stay_shut(scene: Scene) -> None:
    scene.box.revoke(grant_ids=(GRANT.grant_id,))
    with pytest.raises(BadGrant, match="revoked"):
        scene.ask(Right.UNLOCK)
    other = replace(GRANT, grant_id=b"o" * 16)
    scene.ask(Right.UNLOCK, other)
    scene.box.revoke(floor=8)
    with pytest.raises(BadGrant, match="revoked"):
        scene.ask(Right.UNLOCK, other)
    with pytest.raises(ValueError, match="full"):
        scene.box.revoke(grant_ids=tuple(bytes([n]) * 16 for n in range(64)))


def test_whoever_unlocked_last_may_always_lock_and_nobody_else(scene: Scene) -> None:
    later = replace(GRANT, grant_id=b"l" * 16)
    scene.ask(Right.UNLOCK, later)
    scene.ask(Right.UNLOCK)
    scene.now = END + 86_400
    assert scene.ask(Right.LOCK).locked
    with pytest.raises(BadGrant):
        scene.ask(Right.LOCK, later)


def test_an_ended_rental_opens_no_more_even_without_network(scene: Scene) -> None:
    ending = replace(GRANT, rights=Right.UNLOCK | Right.LOCK | Right.END_RENTAL)
    scene.ask(Right.END_RENTAL, ending)
    with pytest.raises(BadGrant, match="ended"):
        scene.ask(Right.UNLOCK, ending)


def test_a_grant_for_another_box_is_refused(scene: Scene) -> None:
    with pytest.raises(BadGrant, match="another box"):
        scene.ask(Right.UNLOCK, replace(GRANT, box_id=bytes(16)))
