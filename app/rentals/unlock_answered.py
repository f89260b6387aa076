"""What the answer to an unlock does: the driver is in, or it is as if nothing had been asked."""

from datetime import timedelta

from sqlalchemy import select

from app.cars import box as boxes
from app.cars import custody, readings
from app.cars.models import Car
from app.coverage import cover
from app.facts import (
    RentalStarted,
    UnlockFailed,
)
from app.kit import clock, deadlines, facts
from app.kit.db import session
from app.rentals import grants_out, lifecycle
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Command, Rental
from app.rentals.settle import settle, surely_done, surely_not, tell_unknown
from carbox.box import Answer, AnswerKind

TRY_AGAIN = timedelta(minutes=15)
"""How long the slot stays the driver's after an unlock that surely failed."""


def answered_unlock(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    assert rental is not None
    older_may_land = _older_may_land(command)
    if answer is None:
        settle(command, "refused", reason=reason or "unreachable")
        if not older_may_land:
            not_opened(car, rental, command, reason or "unreachable")
    elif surely_done(answer):
        settle(command, "confirmed")
        if rental.stands is State.UNLOCKING:
            open_doors(car, rental, command.id)
    elif surely_not(answer) or (answer.kind is AnswerKind.REFUSED and not older_may_land):
        settle(command, "refused" if answer.kind is AnswerKind.REFUSED else "dead", reason="not_done")
        not_opened(car, rental, command, "not_done")
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
    held = custody.current(car.no)  # the clock may have been put back since it was taken
    at = clock.now() if held is None else max(clock.now(), held.from_at)
    rental.started_at = rental.started_at or at
    box = boxes.live(car.id)
    odometer = readings.value(box, "odometer_km")
    rental.odometer_start = float(odometer) if odometer is not None else None
    rental.charge_start = readings.value(box, "charge_percent")
    deadlines.drop(rental.id, "no_show", "about_to_start")
    cover.activate(rental.id, at, odometer_km=int(odometer) if odometer is not None else None)
    facts.record(RentalStarted(rental=rental.id, command=command, at=rental.started_at))


def not_opened(car: Car, rental: Rental, command: Command, why: str) -> None:
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
    tell_unknown(rental, command)
