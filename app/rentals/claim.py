"""Claim a command for sending: the last look at state and right, made by whoever is about to publish it."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from app.cars import access as cars
from app.cars.models import Car
from app.communities import access as circles
from app.kit import clock, steady
from app.kit.clock import business_now
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


_AS_IT_STANDS = (
    select(
        *(Command.car_id, Command.rental_id, Command.purpose, Command.asked_by, Command.asked_on),
        (Command.expires_at <= business_now).label("expired"),
        *(Rental.state.label("rental_state"), Rental.driver_id, Rental.community_id),
        *(Car.removed_at, Car.unsafe),
        *(Person.id.label("person"), Person.erased_at, Person.suspended_at),
        *(Session.id.label("session"), Session.revoked_at.label("session_revoked_at")),
        *(Phone.person_id.label("phone_of"), Phone.revoked_at.label("phone_revoked_at")),
    )
    .select_from(Command)
    .join(Car, Car.id == Command.car_id)
    .outerjoin(Rental, Rental.id == Command.rental_id)
    .outerjoin(Person, Person.id == Command.asked_by)
    .outerjoin(Session, Session.id == Command.asked_session)
    .outerjoin(Phone, Phone.id == Command.asked_on)
    .where(Command.id == bindparam("command"), Command.state == "created")
    .with_for_update(of=Command, skip_locked=True)
)
"""The command, locked unless another has it, and beside it whatever its right rests on."""
_SENT = (
    update(Command)
    .where(Command.id == bindparam("command"))
    .values(state="sent", sent_at=business_now, claimed_by=bindparam("by"), claimed_at=bindparam("at"))
    .execution_options(synchronize_session=False)
)


class Claim(StrEnum):
    """What came of a claim."""

    MINE = "mine"
    TAKEN = "taken"
    NO_LONGER = "no longer"
    EXPIRED = "expired"


@transactional
def claim(command_id: str, name: str) -> Claim:
    """Mark a command as sent by `name`, if it is still to be sent and its asker still may.

    TAKEN: another has it, or it is settled. EXPIRED: it was not sent in time, or by a clock that was just set nobody can
    tell; whoever asked may ask again. The caller holds the asker's rights (`kit.rights`) until it has published.
    """
    row = session.execute(_AS_IT_STANDS, {"command": command_id}).first()
    if row is None:
        return Claim.TAKEN
    if not _still_may(row):
        return Claim.NO_LONGER
    if row.expired or (row.purpose == "unlock" and not steady.watch().steady):
        return Claim.EXPIRED
    session.execute(_SENT, {"command": command_id, "by": name, "at": clock.real_now()})
    return Claim.MINE


def _still_may(row: Row[*tuple[Any, ...]]) -> bool:
    """State and right, as they are at this moment. Locking is never refused."""
    states = STATE_OF_PURPOSE.get(row.purpose)
    if row.rental_id is not None and states is not None and row.rental_state not in states:
        return False
    if row.purpose in ("pause", "lock"):
        return True
    return _is_let_in(row) and _has_right(row)


def _is_let_in(row: Row[*tuple[Any, ...]]) -> bool:
    """The person, the session and the phone that asked are what they were."""
    if row.person is None or row.erased_at or row.session is None or row.session_revoked_at:
        return False
    if row.suspended_at and row.purpose != "resume":
        return False
    if row.asked_on is None:
        return True
    return bool(row.phone_of == row.asked_by and row.phone_revoked_at is None)


def _has_right(row: Row[*tuple[Any, ...]]) -> bool:
    if row.removed_at is not None:
        return False
    if row.purpose == "owner":
        car = session.get_one(Car, row.car_id)
        return cars.runs(car, row.asked_by) and access.out_of_car(car.no) is None
    if row.rental_id is None or row.driver_id != row.asked_by:
        return False
    return row.purpose != "unlock" or _may_begin(row)


def _may_begin(row: Row[*tuple[Any, ...]]) -> bool:
    """What must hold until the door has opened once; getting back in asks for less."""
    member = circles.membership(row.community_id, row.driver_id)
    if row.unsafe or member is None or member.blocked:
        return False
    return licence.standing(row.driver_id, row.community_id, clock.now()).state == "cleared"
