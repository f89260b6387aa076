"""The waiting list: when a slot frees it is held for whoever has waited longest and may have it, with a time to answer."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from app.billing import means
from app.cars import access as cars
from app.cars import occupancy, terms
from app.cars.models import Car
from app.communities import access as circles
from app.coverage import cover
from app.coverage.cover import Trip
from app.facts import MemberRemoved, MembershipChanged, PersonSuspended, WaitOffered
from app.kit import clock, deadlines, facts
from app.kit.db import bare, new_id, session, transactional
from app.kit.errors import Arrears, InUse, NotFound, NotInsurable, Problem, QuoteExpired, Validation
from app.rentals import quote
from app.rentals.models import Quote
from app.rentals.quote import LONGEST
from app.rentals.wait_models import WAI, Wait

MOST = 10
"""Waits of one person that still stand."""
ANSWER_WITHIN = timedelta(minutes=30)
LOOKS, PAGES = 20, 10
"""As many of those who could have what frees are judged one page after another: whoever may not have it keeps it from nobody
behind them.
"""
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
    for car in _free_cars(made):
        deadlines.at("freed", car, now)
    return made


_SPAN = "tstzrange(cast(:from_at as timestamptz), cast(:to_at as timestamptz), '[)')"
_FREE_CARS = text(f"""
select c.id from cars c join offers o on o.car_no = c.no
where (c.id = :car or c.community_id = :community
  or c.id in (select car_id from car_shares where community_id = :community and ended_at is null))
  and c.removed_at is null and not c.unsafe and o.spans @> {_SPAN}
  and (select count(*) from (select 1 from occupancy x
    where int4range(x.car_no, x.car_no, '[]') && int4range(c.no, c.no, '[]') and x.during && {_SPAN} limit 1) as busy) = 0
order by c.id limit 5
""")  # noqa: S608 the part is a constant of ours


def _free_cars(wait: Wait) -> list[str]:
    """A few of those that are free already: they are looked at first, with whoever has waited longer for them."""
    values = {
        "car": bare(wait.car_id, "car") if wait.car_id else None,
        "community": bare(wait.community_id, "com") if wait.community_id else None,
        "from_at": wait.from_at,
        "to_at": wait.to_at,
    }
    return [f"car_{one.hex}" for one in session.execute(_FREE_CARS, values).scalars()]


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
    if car is None or car.removed_at is not None or car.unsafe:
        return
    for wait in _waiting(car):
        _offer(car, wait)


def _offer(car: Car, wait: Wait) -> None:
    """Hold it for them, if they may have it now."""
    try:
        with session.begin_nested():
            _hold(car, wait)
    except Problem:
        session.refresh(wait)


def before(person: str, from_at: datetime, to_at: datetime) -> Callable[[Car], None]:
    """For who takes a span of a car of which something was freed a moment ago: those who have waited longer have it first.

    Inside the transaction that takes it, with the car locked; the rest is offered to the others by the deadline.
    """

    def offer_first(car: Car) -> None:
        for wait in () if car.unsafe else _waiting(car):
            if wait.person_id == person and wait.from_at < to_at and from_at < wait.to_at:
                return
            _offer(car, wait)

    return offer_first


_WAITING = text("""
select w.id from waits w join people p on p.id = w.person_id join offers o on o.car_no = cast(:no as int)
where w.state = 'waiting' and (cast(:after as uuid) is null or w.id > cast(:after as uuid))
  and w.from_at > :now and p.suspended_at is null and p.erased_at is null
  and (w.car_id = :car or w.community_id = any(:communities))
  and exists (select 1 from memberships m where m.person_id = w.person_id and m.ended_at is null and not m.blocked
    and m.community_id = any(:communities))
  and o.spans @> tstzrange(w.from_at, w.to_at, '[)')
  and (select count(*) from (select 1 from occupancy x
    where int4range(x.car_no, x.car_no, '[]') && int4range(cast(:no as int), cast(:no as int), '[]')
    and x.during && tstzrange(w.from_at, w.to_at, '[)') limit 1) as busy) = 0
order by w.id limit :most for update of w skip locked
""")


def _waiting(car: Car) -> Iterator[Wait]:
    """Who could have what they want of it now, in the order in which they began to wait; judged no further yet. Each page is
    read after those before it were judged, so without those whose span is taken by then.
    """
    values = {
        "no": car.no,
        "car": bare(car.id, "car"),
        "communities": [bare(one, "com") for one in cars.communities(car)],
        "now": clock.now(),
        "most": LOOKS,
    }
    after = None
    for _ in range(PAGES):
        ids = session.execute(_WAITING, {**values, "after": after}).scalars().all()
        for one in ids:
            yield session.get_one(Wait, f"{WAI}_{one.hex}")
        if len(ids) < LOOKS:
            return
        after = ids[-1]


def _hold(car: Car, wait: Wait) -> None:
    """The slot and the buffer behind it, as its booking takes them. Raises what a quote raises, NotInsurable, Arrears,
    CarTaken.
    """
    body = {"car": car.id, "from_": wait.from_at, "to": wait.to_at}
    made = quote.quote(wait.person_id, body | ({"community": wait.community_id} if wait.community_id else {}))
    trip = Trip("", car, wait.person_id, made.community_id, wait.from_at, wait.to_at)
    reasons = cover.reasons_against(trip, ignore_clearance=True)
    if reasons:
        raise NotInsurable("The insurer's rules do not allow this rental.", reasons=reasons)
    due = means.arrears(wait.person_id)
    if due:
        raise Arrears("Pay what is open first.", due=due.to_dict())
    occupancy.occupy_offer(car, wait.id, wait.from_at, wait.to_at, terms.buffer_of(made.terms))
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


def take(frozen: Quote) -> bool:
    """Inside the transaction that books an offer: what was held for it makes room for the rental; False where the quote is
    of no offer. Raises QuoteExpired.
    """
    if frozen.wait_id is None:
        return False
    wait = session.get(Wait, frozen.wait_id, with_for_update=True, populate_existing=True)
    if wait is None or wait.state != "offered" or wait.quote_id != frozen.id:
        raise QuoteExpired("It is held for you no longer: ask for a new quote.")
    wait.state = "taken"
    occupancy.vacate(wait.id)
    deadlines.drop(wait.id)
    return True


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


@transactional
def on_left(fact: MemberRemoved | MembershipChanged | PersonSuspended) -> None:
    """Who may not book there any more holds nothing either: the next in order has it."""
    community = getattr(fact, "community", None)
    mine_offered = select(Wait.id).join(Quote, Quote.id == Wait.quote_id)
    mine_offered = mine_offered.where(Wait.person_id == fact.person, Wait.state == "offered")
    if community is not None:
        member = circles.membership(community, fact.person)
        if member is not None and not member.blocked:
            return
        mine_offered = mine_offered.where(Quote.community_id == community)
    for one in session.scalars(mine_offered).all():
        _lapse(one)


def answer_by(row: Wait) -> datetime | None:
    """Until when what is offered may be booked; None where nothing is."""
    return row.answer_by if row.state == "offered" else None
