"""Claim a command for sending: the last look at state and right, made by whoever is about to publish it."""

from enum import StrEnum

from sqlalchemy import select

from app.cars import access as cars
from app.cars.models import Car
from app.communities import access as circles
from app.kit import clock
from app.kit.db import session, transactional
from app.people import licence
from app.people.models import Person, Phone, Session
from app.rentals import access
from app.rentals.lifecycle import State
from app.rentals.models import Command, Rental

STATE_OF_PURPOSE = {
    "unlock": (State.UNLOCKING,),
    "resume": (State.ACTIVE,),
    "pause": (State.ACTIVE,),
    "lock": (State.LOCKING,),
}


class Claim(StrEnum):
    """What came of a claim."""

    MINE = "mine"
    TAKEN = "taken"
    NO_LONGER = "no longer"
    EXPIRED = "expired"


@transactional
def claim(command_id: str, name: str) -> Claim:
    """Mark a command as sent by `name`, if it is still to be sent and its asker still may.

    TAKEN: another has it, or it is settled. EXPIRED: it was not sent in time, whoever asked may ask again. The caller
    holds the asker's rights (`kit.rights`) until it has published.
    """
    row = session.scalars(
        select(Command)
        .where(Command.id == command_id, Command.state == "created")
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return Claim.TAKEN
    if not _still_may(row):
        return Claim.NO_LONGER
    if row.expires_at <= clock.now():
        return Claim.EXPIRED
    row.state, row.sent_at, row.claimed_by, row.claimed_at = "sent", clock.now(), name, clock.real_now()
    return Claim.MINE


def _still_may(row: Command) -> bool:
    """State and right, as they are at this moment. Locking is never refused."""
    rental = session.get(Rental, row.rental_id) if row.rental_id else None
    states = STATE_OF_PURPOSE.get(row.purpose)
    if rental is not None and states is not None and rental.stands not in states:
        return False
    if row.purpose in ("pause", "lock"):
        return True
    return _is_let_in(row) and _has_right(row, rental)


def _is_let_in(row: Command) -> bool:
    """The person, the session and the phone that asked are what they were."""
    person = session.get(Person, row.asked_by)
    opened = session.get(Session, row.asked_session) if row.asked_session else None
    if person is None or person.erased_at or opened is None or opened.revoked_at:
        return False
    if person.suspended_at and row.purpose != "resume":
        return False
    if row.asked_on is None:
        return True
    phone = session.get(Phone, row.asked_on)
    return phone is not None and phone.revoked_at is None and phone.person_id == row.asked_by


def _has_right(row: Command, rental: Rental | None) -> bool:
    car = session.get(Car, row.car_id)
    if car is None or car.removed_at is not None:
        return False
    if row.purpose == "owner":
        return cars.runs(car, row.asked_by) and access.out_of_car(car.no) is None
    if rental is None or rental.driver_id != row.asked_by:
        return False
    return row.purpose != "unlock" or _may_begin(car, rental)


def _may_begin(car: Car, rental: Rental) -> bool:
    """What must hold until the door has opened once; getting back in asks for less."""
    member = circles.membership(rental.community_id, rental.driver_id)
    if car.unsafe or member is None or member.blocked:
        return False
    return licence.standing(rental.driver_id, rental.community_id, clock.now()).state == "cleared"
