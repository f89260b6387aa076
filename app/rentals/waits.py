"""The waiting list: who would like a car, or any of a community, for a span in which none is free."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.cars import access as cars
from app.communities import access as circles
from app.kit import clock, deadlines
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse, NotFound, Validation
from app.rentals import freed
from app.rentals.quote import LONGEST
from app.rentals.wait_models import STANDS, WAI, Wait

MOST = 10
"""Waits of one person that still stand."""


@transactional
def add(person: str, body: dict[str, Any]) -> Wait:
    """Wait for a car, or for any of a community. What is free already is offered a moment later; what may be booked only
    later, then.

    Raises NotFound, Validation, InUse.
    """
    from_at, to_at, now = body["from_at"], body["to_at"], clock.now()
    if not now < from_at < to_at <= from_at + LONGEST:
        detail = "After now; `to` after `from`, at most 30 days later."
        raise Validation(errors=[{"pointer": "/from", "code": "invalid", "detail": detail}])
    if body.get("car"):
        cars.may_see(body["car"], person)
    else:
        circles.may_see(body["community"], person)
    if len(session.scalars(mine(person).where(Wait.state.in_(STANDS))).all()) >= MOST:
        raise InUse(f"You wait for {MOST} already: end one.")
    made = Wait(
        id=new_id(WAI),
        person_id=person,
        car_id=body.get("car"),
        community_id=body.get("community"),
        from_at=from_at,
        to_at=to_at,
        state="waiting",
        made_at=now,
    )
    session.add(made)
    session.flush()
    deadlines.at("wait_over", made.id, from_at)
    freed.look_at(made)
    return made


def mine(person: str) -> Any:
    return select(Wait).where(Wait.person_id == person)


def find(person: str, wait: str) -> Wait:
    """Raises NotFound."""
    found = session.get(Wait, wait)
    if found is None or found.person_id != person:
        raise NotFound
    return found


@transactional
def remove(person: str, wait: str) -> None:
    """Wait no longer; what was held is offered to the next. Raises NotFound."""
    find(person, wait)
    row = freed.lapse(wait)
    if row is not None:
        session.delete(row)
        deadlines.drop(wait)


def answer_by(row: Wait) -> datetime | None:
    """Until when what is offered may be booked; None where nothing is."""
    return row.answer_by if row.state == "offered" else None
