"""What a box's answer does: the command settles and the rental moves, in one transaction.

An answer is a claim, a reading asked for after it is evidence. Unlock: what surely opened is active; what surely did not
is booked again, its cover void; anything else stays as it is, covered. Lock: what the car shows ends the rental; a lock
left without an answer stops the meter and keeps the cover.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, select

from app.cars import box as boxes
from app.cars import custody, readings
from app.cars.models import Box, Car
from app.coverage import cover
from app.facts import (
    DoorUnknown,
    LockRefused,
    MeterRuns,
    MeterStopped,
    OwnerCommandSettled,
    RentalPaused,
    RentalResumed,
    RentalStarted,
    UnlockFailed,
)
from app.kit import clock, deadlines, facts
from app.kit.clock import z
from app.kit.db import notify, session, transactional
from app.rentals import commands, grants_out, lifecycle, readiness
from app.rentals import end as ending
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Command, Rental
from app.rentals.readiness import Asked
from carbox.box import Answer, AnswerKind, Evidence

TRY_AGAIN = timedelta(minutes=15)
"""How long the slot stays the driver's after an unlock that surely failed."""


@transactional
def apply(command_id: str, answer: Answer | None, reason: str | None = None) -> None:
    """Settle a command by the box's answer; `answer` None: nothing was sent, for `reason`."""
    car, rental, command, box = _locked(command_id)
    if not command.is_open:
        if answer is not None:
            apply_late(command_id, answer)
        return
    if answer is not None:
        _note(command, box, answer)
    _HANDLERS[command.purpose](car, rental, command, answer, reason)


@transactional
def apply_late(command_id: str, answer: Answer) -> None:
    """An answer after the command was given up: recorded, and what it proves takes effect."""
    car, rental, command, box = _locked(command_id)
    if command.state not in ("unknown", "dead"):
        return
    _note(command, box, answer)
    command.state, command.settled_at = "reconciled", clock.now()
    if rental is None:
        return
    if command.purpose == "unlock" and rental.stands is State.UNLOCKING:
        if _surely_done(answer):
            open_doors(car, rental, command.id)
        elif _surely_not(answer) and commands.open_of(car.no) is None:
            _not_opened(car, rental, command, "not_done")
    elif command.purpose == "lock" and _is_back(rental, command, box, answer):
        lock_or_refuse(car, rental, command, is_open=False)
    elif command.purpose in ("pause", "resume") and _surely_done(answer):
        _late_pause(car, rental, command)


def _is_back(rental: Rental, command: Command, box: Box, answer: Answer) -> bool:
    """The box's own record of a lock that was lost. Whoever got back in since then has the car."""
    asked = rental.stands is State.LOCKING or (
        rental.stands is State.ACTIVE and rental.keys_stated is not None and not _reopened_since(command)
    )
    return asked and answer.kind is AnswerKind.CONFIRMED and _shows_locked(box, command)


def _reopened_since(command: Command) -> bool:
    """Whether a later unlock was done, or may have been."""
    later = select(Command.id).where(
        Command.rental_id == command.rental_id,
        Command.kind == "unlock",
        Command.id > command.id,
        Command.state != "refused",
    )
    return session.execute(later.limit(1)).first() is not None


def _late_pause(car: Car, rental: Rental, command: Command) -> None:
    """Paused or resumed after all, unless a later command says otherwise."""
    later = select(Command.id).where(Command.rental_id == command.rental_id, Command.id > command.id)
    if rental.stands is not State.ACTIVE or session.execute(later.limit(1)).first() is not None:
        return
    if command.purpose == "resume":
        _resumed(car, rental, command)
    else:
        _paused(rental, command)


_OF_RENTAL = (
    select(Car, Rental, Command, Box)
    .join(Rental, Rental.car_id == Car.id)
    .join(Command, Command.rental_id == Rental.id)
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"))
    .with_for_update(of=[Car, Rental, Command, Box])
    .execution_options(populate_existing=True)
)
_OF_CAR = (
    select(Car, Command, Box)
    .join(Command, and_(Command.car_id == Car.id, Command.rental_id.is_(None)))
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"))
    .with_for_update(of=[Car, Command, Box])
    .execution_options(populate_existing=True)
)


def _locked(command_id: str) -> tuple[Car, Rental | None, Command, Box]:
    """All that an answer may change in one look, locked in this order; the owner's own command needs a second look."""
    found = session.execute(_OF_RENTAL, {"command": command_id}).first()
    if found is None:
        car, command, box = session.execute(_OF_CAR, {"command": command_id}).one()
        clock.again()
        return car, None, command, box
    clock.again()
    car, rental, command, box = found
    return car, rental, command, box


def _note(command: Command, box: Box, answer: Answer) -> None:
    """What was sent and said (the PIN masked), and the readings that came with it."""
    command.sent_text, command.answer_text = answer.sent or None, answer.text[:500] or None
    command.evidence = None if answer.evidence is Evidence.NONE else answer.evidence.value
    if answer.answered_at is not None:
        command.answered_at = clock.of_receipt(answer.answered_at)
    if len(answer.state):
        readings.merge(box, answer.state, clock.now())
    if answer.kind is AnswerKind.CONFIRMED and command.evidence:
        seen = {"seen_at": z(clock.now()), "evidence": command.evidence}
        box.capabilities = {**box.capabilities, command.kind: seen}


def settle(
    command: Command, state: str, *, reason: str | None = None, conditions: list[Any] | None = None
) -> None:
    """The command has its result; whoever waits is woken."""
    command.state, command.reason, command.settled_at = state, reason, clock.now()
    command.problem = {"refused": "box-refused", "unknown": "box-silent", "dead": "box-silent"}.get(state)
    command.conditions = conditions or []
    with session.no_autoflush:  # all that the answer changes is written at once, further on
        notify("command_settled", command.id)


def _surely_done(answer: Answer) -> bool:
    if answer.effect is False and answer.evidence is Evidence.STRONG:
        return False
    return answer.kind is AnswerKind.CONFIRMED or answer.effect is True


def _surely_not(answer: Answer) -> bool:
    return (
        answer.effect is False
        and answer.evidence is Evidence.STRONG
        and (answer.dead or answer.kind in (AnswerKind.REFUSED, AnswerKind.CONFIRMED))
    )


# -- unlock ----------------------------------------------------------------------------------------------------------


def _unlock(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    assert rental is not None
    older_may_land = _older_may_land(command)
    if answer is None:
        settle(command, "refused", reason=reason or "unreachable")
        if not older_may_land:
            _not_opened(car, rental, command, reason or "unreachable")
    elif _surely_done(answer):
        settle(command, "confirmed")
        if rental.stands is State.UNLOCKING:
            open_doors(car, rental, command.id)
    elif _surely_not(answer) or (answer.kind is AnswerKind.REFUSED and not older_may_land):
        settle(command, "refused" if answer.kind is AnswerKind.REFUSED else "dead", reason="not_done")
        _not_opened(car, rental, command, "not_done")
    elif answer.kind is AnswerKind.REFUSED:
        settle(command, "refused", reason="not_done")
    else:
        _leave_open(rental, command, answer)


def _older_may_land(command: Command) -> bool:
    """Whether an unlock was sent earlier under this cover whose outcome nobody knows: it may still open the doors."""
    held = custody.current(command.car_no)
    older = select(Command.id).where(
        Command.rental_id == command.rental_id,
        Command.kind == "unlock",
        Command.purpose == "unlock",
        Command.id < command.id,
        Command.made_at >= (held.from_at if held else command.made_at),
        Command.state.in_(("unknown", "dead")),
        Command.reason.is_(None),
    )
    return session.execute(older.limit(1)).first() is not None


def open_doors(car: Car, rental: Rental, command: str | None) -> None:
    rental.state = lifecycle.after(rental.stands, Step.OPENED, Role.BOX).value
    begin(car, rental, command)


def begin(car: Car, rental: Rental, command: str | None) -> None:
    """The driver is in: the cover is active, and the meter has a beginning."""
    at = clock.now()
    rental.started_at = rental.started_at or at
    box = boxes.live(car.id)
    odometer = readings.value(box, "odometer_km")
    rental.odometer_start = float(odometer) if odometer is not None else None
    rental.charge_start = readings.value(box, "charge_percent")
    deadlines.drop(rental.id, "no_show", "about_to_start")
    cover.activate(rental.id, at, odometer_km=int(odometer) if odometer is not None else None)
    facts.record(RentalStarted(rental=rental.id, command=command, at=rental.started_at))


def _not_opened(car: Car, rental: Rental, command: Command, why: str) -> None:
    """Surely nothing opened: as if the unlock had not been asked. A failed unlock never costs money."""
    if rental.stands is not State.UNLOCKING:
        return
    at = custody.next_instant(car)
    rental.state = lifecycle.after(rental.stands, Step.NOT_OPENED, Role.BOX).value
    cover.void(rental.id, at, f"not opened: {why}")
    custody.void(car, rental.id)
    grants_out.keep_covered(car, rental)
    missed = rental.from_at + timedelta(minutes=rental.terms["no_show_min"])
    deadlines.at("no_show", rental.id, max(missed, at + TRY_AGAIN))
    facts.record(UnlockFailed(rental=rental.id, command=command.id, reason=why))


def _leave_open(rental: Rental, command: Command, answer: Answer) -> None:
    settle(command, "dead" if answer.dead else "unknown")
    _tell_unknown(rental, command)


def _resume(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    assert rental is not None
    if _plain(command, answer, reason):
        _resumed(car, rental, command)
    _tell_unknown(rental, command)


def _resumed(car: Car, rental: Rental, command: Command) -> None:
    """The driver is back in, or in at last where nobody saw the doors open at the start."""
    rental.paused = False
    if rental.started_at is None:
        begin(car, rental, command.id)
    facts.record(RentalResumed(rental=rental.id, command=command.id))


def _pause(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    del car
    assert rental is not None
    if _plain(command, answer, reason):
        _paused(rental, command)
    _tell_unknown(rental, command)


def _paused(rental: Rental, command: Command) -> None:
    rental.paused = True
    facts.record(RentalPaused(rental=rental.id, command=command.id))


def _tell_unknown(rental: Rental, command: Command) -> None:
    if command.state in ("unknown", "dead"):
        facts.record(DoorUnknown(rental=rental.id, command=command.id, what=command.purpose))


def _plain(command: Command, answer: Answer | None, reason: str | None) -> bool:
    """Settle a command that moves no state; True when it was done."""
    if answer is None:
        settle(command, "refused", reason=reason or "unreachable")
    elif _surely_done(answer):
        settle(command, "confirmed")
        return True
    elif answer.kind in (AnswerKind.REFUSED, AnswerKind.CONFIRMED) or _surely_not(answer):
        settle(command, "refused", reason="not_done")
    else:
        settle(command, "dead" if answer.dead else "unknown")
    return False


def _other(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    """The owner's door, charge, climate and ping: nothing moves but the command."""
    del rental
    _plain(command, answer, reason)
    facts.record(OwnerCommandSettled(car=car.id, command=command.id, what=command.kind, state=command.state))


# -- lock ------------------------------------------------------------------------------------------------------------


def _lock(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    assert rental is not None
    if rental.stands is State.ENDED:
        _lock_after_close(car, rental, command, answer)
    elif answer is None and reason not in (None, "unreachable"):
        settle(command, "refused", reason=reason)
        _refused(rental, command, reason or "")
    elif answer is None:
        settle(command, "dead", reason="unreachable")
        _stop_meter(car, rental, command)
    elif answer.effect is True:
        lock_or_refuse(car, rental, command, is_open=True)
    elif answer.kind is AnswerKind.REFUSED or _surely_not(answer):
        settle(command, "refused", reason="not_done")
        _refused(rental, command, "not_done")
    else:
        settle(command, "dead" if answer.dead else "unknown")
        _tell_unknown(rental, command)
        _stop_meter(car, rental, command)


def _lock_after_close(car: Car, rental: Rental, command: Command, answer: Answer | None) -> None:
    """Closed by hand while the lock was under way: what the box says now corrects the cover, not the end."""
    done = answer is not None and answer.effect is True
    settle(command, "confirmed" if done else "dead")
    bound = cover.of(rental.id)
    if done and bound is not None and bound.state in ("bound", "active"):
        deadlines.drop(rental.id, "hand_back")
        ending.hand_back(car, rental, custody.next_instant(car), "box record after a close by hand")


def lock_or_refuse(car: Car, rental: Rental, command: Command, *, is_open: bool) -> None:
    """The car shows that it is locked: the rental ends, unless the same reading shows a door, the keys, the ignition.

    Or unless the car was used since the lock was asked, or the driver said that they still have it.
    """
    if rental.keys_stated is None:
        if is_open:
            settle(command, "confirmed")
        return
    asked = Asked(
        command.asked_by, None, keys_in_glove_box=rental.keys_stated, plugged_in=rental.plugged_stated
    )
    found = readiness.of(car, rental, "lock", clock.now(), asked)
    unmet = [one for one in found if one.blocking and not one.met and one.code not in ("state", "command")]
    if unmet:
        if is_open:
            settle(
                command, "refused", reason="conditions", conditions=[readiness.as_json(one) for one in unmet]
            )
        _refused(rental, command, ",".join(one.code for one in unmet))
        return
    if is_open:
        settle(command, "confirmed")
    lifecycle.after(rental.stands, Step.LOCKED, Role.BOX)
    ending.end(car, rental, by="driver", evidence=f"box {command.evidence or 'record'}")


def _refused(rental: Rental, command: Command | None, reasons: str) -> None:
    """A refused lock never stops the meter, and one that had stopped runs as if it had not."""
    if rental.stands is State.LOCKING:
        run_meter(rental)
        rental.state = lifecycle.after(rental.stands, Step.LOCK_REFUSED, Role.BOX).value
        facts.record(LockRefused(rental=rental.id, command=command.id if command else None, reasons=reasons))


def drives_on(car: Car, rental: Rental) -> None:
    """Use was seen after a lock without an answer, or the driver says that they still have the car.

    It is as if the lock had not been asked, whatever locks the car later.
    """
    run_meter(rental)
    if rental.stands is State.LOCKING:
        rental.state = lifecycle.after(rental.stands, Step.LOCK_REFUSED, Role.SYSTEM).value
    if rental.started_at is None:
        begin(car, rental, None)
    rental.keys_stated = rental.plugged_stated = None


def run_meter(rental: Rental) -> None:
    """Use was seen, or the driver has the car: the meter runs as if it had not stopped."""
    if rental.meter_stopped_at is not None:
        rental.meter_stopped_at = None
        facts.record(MeterRuns(rental=rental.id))


def _stop_meter(car: Car, rental: Rental, command: Command) -> None:
    """The first lock left without an answer stops the meter; cover and custody follow the box alone."""
    if rental.meter_stopped_at is not None or rental.stands is not State.LOCKING:
        return
    rental.meter_stopped_at = command.made_at
    odometer = readings.value(boxes.live(car.id), "odometer_km")
    rental.odometer_end = float(odometer) if odometer is not None else None
    facts.record(MeterStopped(rental=rental.id, at=command.made_at))


_HANDLERS: dict[str, Callable[[Car, Rental | None, Command, Answer | None, str | None], None]] = {
    "unlock": _unlock,
    "resume": _resume,
    "pause": _pause,
    "lock": _lock,
    "owner": _other,
    "driver": _other,
}


def _shows_locked(box: Box, command: Command) -> bool:
    """By a reading that came after the answer: an earlier one may be of the car before the driver got back in."""
    came, answered = readings.instant(box, "locked"), command.answered_at
    after = came is not None and answered is not None and came >= answered
    return after and readings.value(box, "locked") is True
