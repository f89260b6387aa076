"""Unlock: everything that must be true together before the door opens, in one transaction; boxlink does the rest.

Rows are locked in this order: car, rental, then `FOR SHARE` membership, licence, phone, payment, master policy, so that
a revoke either waits for this or is seen by it. The cover is bound and committed before the command is sent.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.billing import hold
from app.cars import box as boxes
from app.cars import custody, occupancy
from app.cars.models import Car
from app.coverage import cover
from app.coverage.cover import Trip
from app.facts import UnlockAsked
from app.kit import clock, facts
from app.kit.auth import Caller
from app.kit.db import session, transactional
from app.kit.errors import CommandOpen, NotAllowed, NotInsurable, NotReady, RateLimited
from app.rentals import access, commands, cover_limit, lifecycle, lock_answered, readiness
from app.rentals import end as ending
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Command, Rental
from app.rentals.readiness import Asked, Condition

AGAIN_WITHIN, AGAIN_AT_MOST, FIRST_AT_MOST = timedelta(minutes=5), 3, 6
NOT_THEIRS = frozenset(
    (
        "car_back",
        "membership",
        "licence",
        "payment",
        "cover",
        "command",
        "box",
        "capability",
        "charge",
        "safe",
        "clock",
    )
)
"""Conditions that somebody else has to meet."""


@transactional
def unlock(by: Caller, rental_id: str) -> Command:
    """Ask the box to open: at the start, again after silence, or to get back in. Returns the command to wait for.

    Raises NotFound, NotAllowed, StepNotAllowed, NotReady, CommandOpen. A second tap gets the first tap's command, also
    where the box was quicker than the tap.
    """
    car, rental, role = access.locked_as(rental_id, by.person, Role.DRIVER, Role.OWNER)
    following = lifecycle.after(rental.stands, Step.UNLOCK, role)
    if by.suspended and rental.stands in (State.BOOKED, State.UNLOCKING):
        raise NotAllowed("Your account is suspended: no rental begins.")
    if rental.stands is State.BOOKED:
        return _first(car, rental, by)
    box, open_command = commands.door_of(car)
    if open_command is not None:
        if open_command.kind == "unlock" and open_command.rental_id == rental.id:
            return open_command
        raise CommandOpen("Another command is open; wait for its answer.", command=open_command.id)
    _require_phone(by)
    purpose = "unlock"
    if rental.stands is State.UNLOCKING:
        _refuse_many(rental, AGAIN_AT_MOST)
    elif rental.stands is State.ACTIVE and not rental.paused and (done := commands.just_opened(rental)):
        return done
    else:
        purpose = "resume"
        lock_answered.run_meter(rental)
    rental.state = following.value
    command = commands.create(car, box, "unlock", purpose, by, rental)
    facts.record(UnlockAsked(rental=rental.id, command=command.id))
    return command


def _first(car: Car, rental: Rental, by: Caller) -> Command:
    _refuse_many(rental, FIRST_AT_MOST)
    now = clock.now()
    found = readiness.of(car, rental, "unlock", now, Asked(by.person, by.phone, lock=True))
    if any(one.code == "payment" and not one.met for one in found):
        hold.wake(rental.id)
    trip = Trip(rental.id, car, rental.driver_id, rental.community_id, rental.from_at, rental.to_at)
    _note_refusal(rental, found, now)
    if any(one.code == "cover" and not one.met for one in found):
        cover_limit.tell(rental, cover.reasons_against(trip, at=now))
    readiness.require(found, keep=True)
    at = custody.next_instant(car)
    box = boxes.find(car.id)
    odometer = ending.odometer(box)
    _cover(rental, trip, at, ending.whole_km(odometer))
    rental.odometer_start = odometer
    custody.take(car, holder="driver", person=rental.driver_id, rental=rental.id, at=at)
    occupancy.begin_early(rental.id, at)
    rental.state = lifecycle.after(rental.stands, Step.UNLOCK, Role.DRIVER).value
    command = commands.create(car, box.id, "unlock", "unlock", by, rental)
    facts.record(UnlockAsked(rental=rental.id, command=command.id))
    return command


def _cover(rental: Rental, trip: Trip, at: datetime, odometer_km: int | None) -> None:
    """Bind; where another unlock at once was given the last cover that a limit allows, it is told as if seen before."""
    try:
        cover.bind(trip, at, odometer_km=odometer_km)
    except NotInsurable as refused:
        if not cover_limit.tell(rental, refused.members["reasons"]):
            raise
        rental.kept_out_at = at
        readiness.require([readiness.cover_at_limit()], keep=True)


def _note_refusal(rental: Rental, found: list[Condition], now: datetime) -> None:
    """Who came in time and was kept out by what is not theirs to mend is no no-show."""
    unmet = {one.code for one in found if one.blocking and not one.met}
    if "time" not in unmet and unmet & NOT_THEIRS:
        rental.kept_out_at = now


def _require_phone(by: Caller) -> None:
    """Getting back in is refused for nothing but: not the driver, not their phone, an open command."""
    if not readiness.phone_is_good(Asked(by.person, by.phone, lock=True)):
        unmet = readiness.Condition("phone", met=False, remedy=None)
        raise NotReady("Use the phone that is registered to you.", conditions=[readiness.as_json(unmet)])


def _refuse_many(rental: Rental, at_most: int) -> None:
    since = clock.now() - AGAIN_WITHIN
    count = session.execute(
        select(func.count())
        .select_from(Command)
        .where(Command.rental_id == rental.id, Command.kind == "unlock", Command.made_at > since)
    ).scalar_one()
    if count >= at_most:
        problem = RateLimited(f"{at_most} tries in five minutes; wait a little, or call us.")
        problem.headers["Retry-After"] = str(int(AGAIN_WITHIN.total_seconds()))
        raise problem
