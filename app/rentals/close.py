"""Close by hand, when the box cannot confirm the lock: with care, because liability follows."""

from datetime import timedelta

from app.cars import box as boxes
from app.cars import custody, readings
from app.cars.models import Car
from app.coverage import cover
from app.facts import StillHasCar
from app.kit import clock, deadlines, facts
from app.kit.db import transactional
from app.kit.errors import CommandOpen, NotAllowed, NotReady
from app.rentals import access, commands, lifecycle, lock_answered
from app.rentals import end as ending
from app.rentals.lifecycle import OUT, Role, State, Step
from app.rentals.models import Rental

STATED = "owner's statement"
QUIET, MAY_OBJECT = timedelta(minutes=10), timedelta(minutes=15)


@transactional
def close(person: str, rental_id: str) -> Rental:
    """The owner states that he has car and keys. Raises NotFound, NotAllowed, StepNotAllowed, NotReady."""
    car, rental, role = access.locked_as(rental_id, person, Role.OWNER, Role.DRIVER)
    lifecycle.after(rental.stands, Step.CLOSE, role)
    _refuse_open_command(car)
    _refuse(car, rental)
    ending.end(car, rental, by="owner", evidence=STATED, covered_on=MAY_OBJECT)
    return rental


@transactional
def hand_back(rental_id: str) -> None:
    """The driver had 15 minutes to object and did not: custody and cover end."""
    car, rental = access.locked(rental_id)
    if is_covered_on(rental) and not _objects(rental):
        ending.hand_back(car, rental, custody.next_instant(car), STATED)


def _refuse_open_command(car: Car) -> None:
    """A door command under way could still open the car outside the cover. Raises CommandOpen."""
    open_command = commands.open_of(car.no)
    if open_command is not None:
        raise CommandOpen("A command to the box is open; wait for its answer.", command=open_command.id)


def is_covered_on(rental: Rental) -> bool:
    """Closed by hand, or used after it was over, and its cover is still open."""
    bound = cover.of(rental.id) if rental.stands not in OUT else None
    return bound is not None and bound.state in ("bound", "active")


def may_still_have_it(rental: Rental) -> bool:
    """After the end by our books: the driver says that they have the car, or has still time to say so."""
    return _objects(rental) or (rental.ended_at is not None and clock.now() < rental.ended_at + MAY_OBJECT)


def _objects(rental: Rental) -> bool:
    return (
        rental.still_has_until is not None
        and rental.ended_at is not None
        and rental.still_has_until > rental.ended_at
    )


@transactional
def close_as_operator(rental_id: str, reason: str) -> Rental:
    """An operator closes with a reason. Raises NotFound, StepNotAllowed."""
    car, rental = access.locked(rental_id)
    evidence = f"operator: {reason}"[:300]
    if is_covered_on(rental):
        deadlines.drop(rental.id, "hand_back")
        ending.hand_back(car, rental, custody.next_instant(car), evidence)
        return rental
    lifecycle.after(rental.stands, Step.CLOSE, Role.OPERATOR)
    _refuse_open_command(car)
    ending.end(car, rental, by="operator", evidence=evidence)
    return rental


def may_be_closed(rental: Rental) -> bool:
    """After a lock without an answer, or once the planned end has passed."""
    if clock.now() >= rental.to_at:
        return True
    last = commands.last_of(rental.id, "lock") if rental.stands is State.LOCKING else None
    return last is not None and last.state in ("unknown", "dead")


def _refuse(car: Car, rental: Rental) -> None:
    """An unanswered lock or a passed end; no fresh sign of use; the driver does not say that he still has it."""
    now = clock.now()
    unmet = []
    if not may_be_closed(rental):
        unmet.append({"code": "state", "remedy": "Only after an unanswered lock or the planned end."})
    box = boxes.live(car.id)
    moving = (readings.recent(box, "speed_kmh", QUIET, now) or 0) > 0
    if readings.recent(box, "drivable", QUIET, now) or moving:
        unmet.append({"code": "ignition", "remedy": "The car was in use within the last ten minutes."})
    if rental.still_has_until is not None and rental.still_has_until > now:
        unmet.append({"code": "car_back", "remedy": "The driver says that they still have the car."})
    if unmet:
        raise NotReady(
            unmet[0]["remedy"], conditions=[{**one, "met": False, "blocking": True} for one in unmet]
        )


@transactional
def still_have_it(person: str, rental_id: str) -> Rental:
    """The driver says that the car is still with them: nobody closes for 15 minutes, and a close by hand ends no cover.

    A lock asked before counts no more, whatever shows the car locked: a parked car is no hand-back. After a close by
    hand it may be said for 15 minutes; then the cover goes on until the box's receipt of an end, or an operator.
    Raises NotFound, NotAllowed, StepNotAllowed.
    """
    car, rental, role = access.locked_as(rental_id, person, Role.DRIVER, Role.OWNER)
    if role is not Role.DRIVER:
        raise NotAllowed("Only the driver can say that.", role=role.value)
    if not is_covered_on(rental):
        lifecycle.after(rental.stands, Step.LOCK, role)
    deadlines.drop(rental.id, "hand_back")
    if clock.now() > rental.to_at:
        cover.report_late(rental.id, clock.now())
    rental.still_has_until = clock.now() + MAY_OBJECT
    if rental.stands in (State.ACTIVE, State.LOCKING):
        lock_answered.drives_on(car, rental)
    facts.record(StillHasCar(rental=rental.id))
    return rental
