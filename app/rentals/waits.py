"""The waiting list: when a slot frees it is held for whoever has waited longest and may have it, with a time to answer."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from app.cars import access as cars
from app.cars import occupancy
from app.cars.models import Car
from app.communities import access as circles
from app.facts import WaitOffered
from app.kit import clock, deadlines, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse, NotFound, Problem, Validation
from app.rentals import quote
from app.rentals.models import Quote
from app.rentals.quote import LONGEST
from app.rentals.wait_models import WAI, Wait

MOST = 10
"""Waits of one person that still stand."""
ANSWER_WITHIN = timedelta(minutes=30)
OFFER = "offer"
"""What an offer is in the occupancy of its car; its ref is the wait's."""
_STANDS = ("waiting", "offered")


# -- who waits ----------------------------------------------------------------------------------------------------------


@transactional
def add(person: str, body: dict[str, Any]) -> Wait:
    """Wait for a car, or for any of a community. What is free already is offered a moment later.

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
    if len(session.scalars(mine(person).where(Wait.state.in_(_STANDS))).all()) >= MOST:
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
    for car in _cars_of(made):
        deadlines.at("freed", car, now)
    return made


def _cars_of(wait: Wait) -> list[str]:
    return [wait.car_id] if wait.car_id else cars.of_community(wait.community_id or "")


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
    row = _lapse(wait)
    if row is not None:
        session.delete(row)
        deadlines.drop(wait)


# -- what frees, and for whom -------------------------------------------------------------------------------------------


@transactional
def offer(car_id: str) -> None:
    """Deadline "freed": something of the car may be free; those who wait are offered what they want, the longest first.

    Each is asked as if they asked for a quote now: who may not have it is passed over, and waits on.
    """
    car = session.get(Car, car_id, with_for_update=True)
    if car is None or car.removed_at is not None:
        return
    for wait in _waiting(car):
        try:
            with session.begin_nested():
                _hold(car, wait)
        except Problem:
            session.refresh(wait)


def _waiting(car: Car) -> list[Wait]:
    """Those whose start is still to come, in the order in which they began to wait."""
    wants = or_(Wait.car_id == car.id, Wait.community_id.in_(cars.communities(car)))
    rows = select(Wait).where(Wait.state == "waiting", Wait.from_at > clock.now(), wants).order_by(Wait.id)
    return list(session.scalars(rows.with_for_update(skip_locked=True)))


def _hold(car: Car, wait: Wait) -> None:
    """Raises what a quote raises, and CarTaken."""
    body = {"car": car.id, "from_": wait.from_at, "to": wait.to_at}
    made = quote.quote(wait.person_id, body | ({"community": wait.community_id} if wait.community_id else {}))
    occupancy.occupy(car, OFFER, wait.id, wait.from_at, wait.to_at)
    wait.answer_by = made.expires_at = min(clock.now() + ANSWER_WITHIN, wait.from_at)
    wait.state, wait.quote_id, wait.offered_car_id = "offered", made.id, car.id
    made.wait_id = wait.id
    session.flush()
    deadlines.at("wait_answer", wait.id, wait.answer_by)
    facts.record(
        WaitOffered(
            wait=wait.id,
            person=wait.person_id,
            car=car.id,
            from_at=wait.from_at,
            to_at=wait.to_at,
            answer_by=wait.answer_by,
        )
    )


def take(frozen: Quote) -> None:
    """Inside the transaction that books an offer: what was held for it makes room for the rental."""
    if frozen.wait_id is None:
        return
    wait = session.get_one(Wait, frozen.wait_id, with_for_update=True, populate_existing=True)
    if wait.state == "offered" and wait.quote_id == frozen.id:
        wait.state = "taken"
        occupancy.vacate(wait.id)
        deadlines.drop(wait.id)


@transactional
def over(wait: str) -> None:
    """Deadlines "wait_answer" and "wait_over": nobody answered in time, or its start has come."""
    _lapse(wait)


def _lapse(wait_id: str) -> Wait | None:
    """The car first, as everywhere; what was held is offered to the next."""
    seen = session.get(Wait, wait_id)
    car_id = seen.offered_car_id if seen is not None else None
    if car_id is not None:
        session.get(Car, car_id, with_for_update=True)
    wait = session.get(Wait, wait_id, with_for_update=True, populate_existing=True)
    if wait is None or wait.state not in _STANDS:
        return wait
    if wait.state == "offered" and wait.offered_car_id is not None:
        occupancy.vacate(wait.id)
    wait.state = "lapsed"
    return wait


def answer_by(row: Wait) -> datetime | None:
    """Until when what is offered may be booked; None where nothing is."""
    return row.answer_by if row.state == "offered" else None
