"""What each answer of the box does to the command, the rental and the cover."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from app.cars import custody
from app.cars.models import Custody
from app.coverage import cover
from app.coverage.models import Cover
from app.kit import clock
from app.kit.auth import Caller
from app.kit.db import session
from app.rentals import commands, lock, outcome, pause, reading, unlock
from app.rentals.models import Command
from carbox.box import Answer, AnswerKind, BoxState, Evidence, Reading
from tests.rentals.scene import Scene, make

CONFIRMED, REFUSED = AnswerKind.CONFIRMED, AnswerKind.REFUSED
SILENT, LOST = AnswerKind.SILENT, AnswerKind.LOST
STRONG, WEAK, NONE = Evidence.STRONG, Evidence.WEAK, Evidence.NONE
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Said(NamedTuple):
    """What came back: the kind of answer, the effect that was seen, how well, and whether the command is dead."""

    kind: AnswerKind
    effect: bool | None
    evidence: Evidence
    dead: bool

    def __str__(self) -> str:
        seen = {None: "unseen", True: "done", False: "undone"}[self.effect]
        return f"{self.kind}-{seen}-{self.evidence}-{'dead' if self.dead else 'alive'}"


DONE = Said(CONFIRMED, effect=True, evidence=STRONG, dead=True)
UNDONE = Said(REFUSED, effect=False, evidence=STRONG, dead=True)


def answer(said: Said, **state: Any) -> Answer:
    came = clock.real_now()
    readings = BoxState({name: Reading(name, value, came, retained=False) for name, value in state.items()})
    answered = AT if said.kind in (CONFIRMED, REFUSED) else None
    return Answer(
        said.kind,
        evidence=said.evidence,
        effect=said.effect,
        dead=said.dead,
        answered_at=answered,
        state=readings,
    )


def now(scene: Scene, command: str) -> tuple[str, str, str]:
    """Command, rental and cover as they stand."""
    session.expire_all()
    bound = cover.of(scene.rental_id)
    assert bound is not None
    return session.get_one(Command, command).state, scene.rental.state, bound.state


UNLOCKED = [
    # what came back; then: command, rental, cover
    (Said(CONFIRMED, True, STRONG, True), ("confirmed", "active", "active")),
    (Said(CONFIRMED, True, WEAK, True), ("confirmed", "active", "active")),
    (Said(CONFIRMED, None, NONE, True), ("confirmed", "active", "active")),
    (Said(CONFIRMED, False, WEAK, True), ("confirmed", "active", "active")),
    (Said(CONFIRMED, False, STRONG, True), ("dead", "booked", "void")),
    (Said(REFUSED, True, STRONG, True), ("confirmed", "active", "active")),
    (Said(REFUSED, False, STRONG, True), ("refused", "booked", "void")),
    (Said(SILENT, True, STRONG, True), ("confirmed", "active", "active")),
    (Said(SILENT, True, WEAK, True), ("confirmed", "active", "active")),
    (Said(SILENT, False, STRONG, True), ("dead", "booked", "void")),
    (Said(SILENT, False, STRONG, False), ("unknown", "unlocking", "bound")),
    (Said(SILENT, False, WEAK, True), ("dead", "unlocking", "bound")),
    (Said(SILENT, None, NONE, True), ("dead", "unlocking", "bound")),
    (Said(SILENT, None, NONE, False), ("unknown", "unlocking", "bound")),
    (Said(LOST, None, NONE, True), ("dead", "unlocking", "bound")),
    (Said(LOST, False, STRONG, True), ("dead", "booked", "void")),
]
FIRST_ALONE = [
    (Said(REFUSED, None, NONE, True), ("refused", "booked", "void")),
    (Said(REFUSED, False, WEAK, True), ("refused", "booked", "void")),
]
AGAIN_ALONE = [
    (Said(REFUSED, None, NONE, True), ("refused", "unlocking", "bound")),
    (Said(REFUSED, False, WEAK, True), ("refused", "unlocking", "bound")),
]
ROW = ("said", "wanted")


@pytest.mark.parametrize(ROW, UNLOCKED + FIRST_ALONE, ids=str)
def test_the_first_unlock_does_what_its_answer_proves(scene: Scene, said: Said, wanted: Any) -> None:
    command = scene.unlock().id
    outcome.apply(command, answer(said))
    assert now(scene, command) == wanted


@pytest.mark.parametrize(ROW, UNLOCKED + AGAIN_ALONE, ids=str)
def test_a_retry_after_silence_does_what_its_answer_proves(scene: Scene, said: Said, wanted: Any) -> None:
    outcome.apply(scene.unlock().id, Answer(SILENT))
    command = scene.unlock().id
    outcome.apply(command, answer(said))
    assert now(scene, command) == wanted


def test_a_first_unlock_that_was_not_sent_leaves_all_as_it_was(scene: Scene) -> None:
    command = scene.unlock().id
    outcome.apply(command, None, "unreachable")
    assert now(scene, command) == ("refused", "booked", "void")


def test_a_retry_that_was_not_sent_keeps_cover_and_state(scene: Scene) -> None:
    outcome.apply(scene.unlock().id, Answer(SILENT))
    command = scene.unlock().id
    outcome.apply(command, None, "unreachable")
    assert now(scene, command) == ("refused", "unlocking", "bound")


def test_a_retry_keeps_the_same_cover(scene: Scene) -> None:
    outcome.apply(scene.unlock().id, Answer(SILENT))
    outcome.apply(scene.unlock().id, answer(DONE))
    covers = session.scalars(select(Cover.state).where(Cover.rental_id == scene.rental_id)).all()
    assert covers == ["active"]


def test_an_answer_counts_once(scene: Scene) -> None:
    command = scene.unlock().id
    outcome.apply(command, answer(DONE))
    outcome.apply(command, answer(UNDONE))
    assert now(scene, command) == ("confirmed", "active", "active")


@pytest.mark.parametrize("evidence", [STRONG, WEAK, NONE])
def test_a_door_that_the_car_does_not_show_asks_to_try_the_handle(scene: Scene, evidence: Evidence) -> None:
    command = scene.unlock()
    assert commands.represent(command)["ask"] is None
    outcome.apply(command.id, answer(Said(CONFIRMED, True, evidence, True)))
    session.expire_all()
    asked = commands.represent(session.get_one(Command, command.id))["ask"]
    assert (asked or "").startswith("Try the handle") is (evidence is not STRONG)


# -- answers that come late ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ROW,
    [
        (Said(CONFIRMED, True, STRONG, True), ("reconciled", "active", "active")),
        (Said(CONFIRMED, None, NONE, True), ("reconciled", "active", "active")),
        (Said(CONFIRMED, False, STRONG, True), ("reconciled", "booked", "void")),
        (Said(REFUSED, True, STRONG, True), ("reconciled", "active", "active")),
        (Said(REFUSED, False, STRONG, True), ("reconciled", "booked", "void")),
        (Said(REFUSED, None, NONE, True), ("reconciled", "unlocking", "bound")),
    ],
)
def test_a_late_answer_to_an_unlock_does_what_it_proves(scene: Scene, said: Said, wanted: Any) -> None:
    command = scene.unlock().id
    outcome.apply(command, Answer(SILENT))
    outcome.apply_late(command, answer(said))
    assert now(scene, command) == wanted


def test_a_late_refusal_changes_nothing_while_a_newer_unlock_is_open(scene: Scene) -> None:
    command = scene.unlock().id
    outcome.apply(command, Answer(SILENT))
    scene.unlock()
    outcome.apply_late(command, answer(UNDONE))
    assert now(scene, command) == ("reconciled", "unlocking", "bound")


def test_a_reading_that_shows_the_open_car_begins_the_rental(scene: Scene) -> None:
    command = scene.unlock().id
    outcome.apply(command, Answer(SILENT))
    delta = BoxState({"locked": Reading("locked", False, AT, retained=False)})
    reading.take(scene.box.username, delta)
    assert now(scene, command) == ("unknown", "active", "active")


def test_a_retained_reading_proves_nothing(scene: Scene) -> None:
    command = scene.unlock().id
    outcome.apply(command, Answer(SILENT))
    delta = BoxState({"locked": Reading("locked", False, AT, retained=True)})
    reading.take(scene.box.username, delta)
    assert now(scene, command) == ("unknown", "unlocking", "bound")


# -- pause and resume ------------------------------------------------------------------------------------------------


def active(scene: Scene) -> Caller:
    outcome.apply(scene.unlock().id, answer(DONE))
    return scene.caller()


PLAIN = [
    (Said(CONFIRMED, True, STRONG, True), "confirmed"),
    (Said(CONFIRMED, None, NONE, True), "confirmed"),
    (Said(CONFIRMED, False, STRONG, True), "refused"),
    (Said(REFUSED, None, NONE, True), "refused"),
    (Said(SILENT, True, STRONG, True), "confirmed"),
    (Said(SILENT, False, STRONG, True), "refused"),
    (Said(SILENT, None, NONE, True), "dead"),
    (Said(SILENT, None, NONE, False), "unknown"),
    (Said(LOST, None, NONE, True), "dead"),
]


@pytest.mark.parametrize(ROW, PLAIN, ids=str)
def test_a_pause_moves_nothing_but_the_door(scene: Scene, said: Said, wanted: str) -> None:
    by = active(scene)
    command = pause.pause(by, scene.rental_id).id
    outcome.apply(command, answer(said))
    assert now(scene, command) == (wanted, "active", "active")
    assert scene.rental.paused is (wanted == "confirmed")


@pytest.mark.parametrize(ROW, PLAIN, ids=str)
def test_a_resume_moves_nothing_but_the_door(scene: Scene, said: Said, wanted: str) -> None:
    by = active(scene)
    outcome.apply(pause.pause(by, scene.rental_id).id, answer(DONE))
    command = unlock.unlock(by, scene.rental_id).id
    outcome.apply(command, answer(said))
    assert now(scene, command) == (wanted, "active", "active")
    assert scene.rental.paused is (wanted != "confirmed")


def test_a_tap_seconds_after_the_door_opened_opens_it_anew(scene: Scene) -> None:
    by, opened = active(scene), commands.last_of(scene.rental_id, "unlock")
    assert opened is not None
    assert unlock.unlock(by, scene.rental_id).id == opened.id
    clock.forward(commands.SAME_TAP_WITHIN)
    assert unlock.unlock(by, scene.rental_id).id != opened.id


def test_so_does_one_where_the_clock_was_set_back_since(scene: Scene) -> None:
    by, opened = active(scene), commands.last_of(scene.rental_id, "unlock")
    assert opened is not None
    opened.settled_at = clock.now() + timedelta(hours=1)
    session.commit()
    assert unlock.unlock(by, scene.rental_id).id != opened.id


def test_a_tap_after_a_pause_that_failed_is_a_command_of_its_own(scene: Scene) -> None:
    by, opened = active(scene), commands.last_of(scene.rental_id, "unlock")
    outcome.apply(pause.pause(by, scene.rental_id).id, answer(UNDONE))
    assert opened is not None
    assert unlock.unlock(by, scene.rental_id).id != opened.id


# -- lock ------------------------------------------------------------------------------------------------------------


def locking(scene: Scene) -> str:
    by = active(scene)
    scene.reads(locked=False)
    return lock.lock(by, scene.rental_id, keys_in_glove_box=True).id


LOCKED = [
    # ..., then: command, rental, cover, and whether the meter stands
    (Said(CONFIRMED, True, STRONG, True), ("confirmed", "ended", "closed"), "runs"),
    (Said(CONFIRMED, True, WEAK, True), ("confirmed", "ended", "closed"), "runs"),
    (Said(SILENT, True, STRONG, True), ("confirmed", "ended", "closed"), "runs"),
    (Said(CONFIRMED, False, STRONG, True), ("refused", "active", "active"), "runs"),
    (Said(REFUSED, None, NONE, True), ("refused", "active", "active"), "runs"),
    (Said(REFUSED, False, STRONG, True), ("refused", "active", "active"), "runs"),
    (Said(SILENT, False, STRONG, True), ("refused", "active", "active"), "runs"),
    (Said(SILENT, None, NONE, True), ("dead", "locking", "active"), "stands"),
    (Said(SILENT, None, NONE, False), ("unknown", "locking", "active"), "stands"),
    (Said(LOST, None, NONE, True), ("dead", "locking", "active"), "stands"),
]


@pytest.mark.parametrize((*ROW, "meter"), LOCKED, ids=str)
def test_a_lock_does_what_its_answer_proves(scene: Scene, said: Said, wanted: Any, meter: str) -> None:
    command = locking(scene)
    state = {"locked": said.effect} if said.effect is not None else {}
    outcome.apply(command, answer(said, **state))
    assert now(scene, command) == wanted
    assert (scene.rental.meter_stopped_at is not None) is (meter == "stands")


def test_a_lock_that_was_not_sent_counts_as_left_without_an_answer(scene: Scene) -> None:
    command = locking(scene)
    outcome.apply(command, None, "unreachable")
    assert now(scene, command) == ("dead", "locking", "active")
    assert scene.rental.meter_stopped_at is not None


@pytest.mark.parametrize(
    ("reading", "code"),
    [({"door_fl": True}, "doors"), ({"keys_in_glove_box": False}, "keys"), ({"drivable": True}, "ignition")],
)
def test_a_locked_car_whose_reading_shows_a_fault_is_not_back(
    scene: Scene, reading: dict[str, bool], code: str
) -> None:
    command = locking(scene)
    outcome.apply(command, answer(DONE, locked=True, **reading))
    assert now(scene, command) == ("refused", "active", "active")
    assert [one["code"] for one in session.get_one(Command, command).conditions] == [code]


def test_the_meter_stands_at_the_first_lock_without_an_answer(scene: Scene) -> None:
    first = locking(scene)
    outcome.apply(first, Answer(SILENT))
    stood = scene.rental.meter_stopped_at
    clock.forward(timedelta(minutes=5))
    second = lock.lock(scene.caller(), scene.rental_id, keys_in_glove_box=True).id
    outcome.apply(second, Answer(SILENT))
    session.expire_all()
    assert scene.rental.meter_stopped_at == stood


@pytest.mark.parametrize("values", [{"drivable": True}, {"odometer_km": 1200.9}])
def test_use_after_a_silent_lock_runs_the_meter(scene: Scene, values: dict[str, Any]) -> None:
    outcome.apply(locking(scene), Answer(SILENT))
    delta = BoxState({name: Reading(name, value, AT, retained=False) for name, value in values.items()})
    reading.take(scene.box.username, delta)
    session.expire_all()
    assert scene.rental.meter_stopped_at is None


def test_less_than_half_a_kilometre_is_no_use(scene: Scene) -> None:
    outcome.apply(locking(scene), Answer(SILENT))
    delta = BoxState({"odometer_km": Reading("odometer_km", 1200.4, AT, retained=False)})
    reading.take(scene.box.username, delta)
    session.expire_all()
    assert scene.rental.meter_stopped_at is not None


def test_a_free_lock_leaves_no_open_cover_on_the_car(scene: Scene) -> None:
    outcome.apply(locking(scene), answer(DONE, locked=True))
    assert cover.open_of_car(scene.car.no) is None


def test_a_failed_unlock_can_be_asked_again(app: object) -> None:
    scene = make()
    outcome.apply(scene.unlock().id, answer(UNDONE))
    command = scene.unlock().id
    outcome.apply(command, answer(DONE))
    assert now(scene, command) == ("confirmed", "active", "active")
    states = session.scalars(
        select(Cover.state).where(Cover.rental_id == scene.rental_id).order_by(Cover.from_at)
    ).all()
    assert states == ["void", "active"]


def test_while_an_unlock_fails_the_owner_goes_on_without_a_gap(scene: Scene) -> None:
    command = scene.unlock().id
    clock.forward(timedelta(minutes=1))
    outcome.apply(command, answer(UNDONE))
    rows = session.execute(
        select(Custody.from_at, Custody.to_at)
        .where(Custody.car_no == scene.car.no)
        .order_by(Custody.from_at, Custody.id)
    ).all()
    assert [until for _from, until in rows] == [began for began, _until in rows[1:]] + [None]
    held = custody.at(scene.car.no, clock.now() - timedelta(seconds=30))
    assert held is not None
    assert held.holder == "owner"
