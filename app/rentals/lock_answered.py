"""What the answer to a lock does: the rental ends, or runs on, or its meter stops."""

from app.cars import box as boxes
from app.cars import custody, readings
from app.cars.models import Car
from app.coverage import cover
from app.facts import (
    LockRefused,
    MeterRuns,
    MeterStopped,
)
from app.kit import clock, deadlines, facts
from app.rentals import end as ending
from app.rentals import lifecycle, readiness
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Command, Rental
from app.rentals.readiness import Asked
from app.rentals.settle import settle, surely_not, tell_unknown
from app.rentals.unlock_answered import begin
from carbox.box import Answer, AnswerKind


def answered_lock(
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
    elif answer.kind is AnswerKind.REFUSED or surely_not(answer):
        settle(command, "refused", reason="not_done")
        _refused(rental, command, "not_done")
    else:
        settle(command, "dead" if answer.dead else "unknown")
        tell_unknown(rental, command)
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
