"""What frees is held for whoever has waited longest and may have it, with a time to answer."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from app.billing import means
from app.cars import access as cars
from app.cars import find, occupancy, terms
from app.cars.models import Car
from app.communities import access as circles
from app.coverage import cover
from app.coverage.cover import Trip
from app.facts import (
    MemberRemoved,
    MembershipChanged,
    PersonRestored,
    PersonSuspended,
    TermsChanged,
    WaitOffered,
)
from app.kit import clock, deadlines, facts
from app.kit.db import bare, session, transactional
from app.kit.deadlines import Due
from app.kit.errors import Arrears, NotInsurable, Problem, QuoteExpired
from app.rentals import quote
from app.rentals.models import Quote
from app.rentals.wait_models import STANDS, WAI, Wait

ANSWER_WITHIN = timedelta(minutes=30)
LOOKS, PAGES = 20, 10
"""As many of those who could have what frees are judged one page after another: whoever may not have it keeps it from nobody
behind them.
"""
MOST_CARS = 1000
"""Of a community that are looked at for one wait."""
A_MOMENT, LOOK_EVERY = timedelta(seconds=1), timedelta(hours=1)
_MINE_ALONE = text("select pg_try_advisory_xact_lock(hashtextextended(:who, 0))")


@transactional
def look(wait_id: str) -> None:
    """Deadline "wait_look": see what of it is free by now."""
    wait = session.get(Wait, wait_id)
    if wait is not None and wait.state == "waiting":
        look_at(wait)


def look_at(wait: Wait) -> None:
    """Whatever the search finds is looked at next, with whoever has waited longest for it; and once more each hour, since
    much may let them have it that frees no car: a rule of the community, what they owed, the insurer's word.
    """
    now = clock.now()
    deadlines.at("wait_look", wait.id, now + LOOK_EVERY)
    query = {
        "community": wait.community_id,
        "free_from": wait.from_at,
        "free_to": wait.to_at,
        "limit": MOST_CARS,
    }
    rows = [] if wait.car_id else find.find(wait.person_id, query)[0]
    free = [wait.car_id] if wait.car_id else [f"car_{row.id.hex}" for row in rows]
    deadlines.plan([Due("freed", car, now) for car in free])


@transactional
def offer(car_id: str) -> None:
    """Deadline "freed": something of the car may be free; those who wait are offered what they want, the longest first.

    Each is asked as if they asked for a quote now: who may not have it is passed over, and waits on. What is held of a car
    that is lent there no more is held no longer; nobody waits for one that is gone.
    """
    car = session.get(Car, car_id, with_for_update=True)
    if car is not None:
        _let_go(car)
    if car is None or car.removed_at is not None or car.unsafe:
        return
    for wait in _waiting(car):
        _offer(car, wait)


def _let_go(car: Car) -> None:
    through = [] if car.removed_at is not None else cars.communities(car)
    lent = select(Wait.id).join(Quote, Quote.id == Wait.quote_id)
    gone = [
        lent.where(Wait.offered_car_id == car.id, Wait.state == "offered", Quote.community_id.not_in(through))
    ]
    if car.removed_at is not None:
        gone.append(select(Wait.id).where(Wait.car_id == car.id, Wait.state == "waiting"))
    for wait in [one for which in gone for one in session.scalars(which)]:
        lapse(wait)


def _offer(car: Car, wait: Wait) -> None:
    """Hold it for them, if they may have it now."""
    if not _one_at_a_time(wait):
        return
    try:
        with session.begin_nested():
            _hold(car, wait)
    except Problem:
        session.refresh(wait)


def _one_at_a_time(wait: Wait) -> bool:
    """Nobody has two cars held for the same time. While another transaction is about theirs, this one is looked at later."""
    alone = session.execute(_MINE_ALONE, {"who": f"waits {wait.person_id}"}).scalar_one()
    locked = select(Wait).where(Wait.id == wait.id).with_for_update(skip_locked=True)
    mine = session.scalars(locked.execution_options(populate_existing=True)).first() if alone else None
    if mine is None:
        deadlines.at("wait_look", wait.id, clock.now() + A_MOMENT)
        return False
    return mine.state == "waiting" and session.scalars(_beside(wait, "offered").limit(1)).first() is None


def _beside(wait: Wait, state: str) -> Any:
    """What else they wait for at that time."""
    theirs = select(Wait).where(Wait.person_id == wait.person_id, Wait.id != wait.id, Wait.state == state)
    return theirs.where(Wait.from_at < wait.to_at, Wait.to_at > wait.from_at)


def _held_no_longer(wait: Wait) -> None:
    """What else they wait for at that time may be offered again."""
    now = clock.now()
    deadlines.plan([Due("wait_look", one.id, now) for one in session.scalars(_beside(wait, "waiting"))])


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
  and not exists (select 1 from waits o where o.person_id = w.person_id and o.state = 'offered'
    and o.from_at < w.to_at and w.from_at < o.to_at)
order by w.id limit :most
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
    _held_no_longer(wait)
    deadlines.drop(wait.id)
    return True


@transactional
def over(wait: str) -> None:
    """Deadlines "wait_answer" and "wait_over": nobody answered in time, or its start has come."""
    lapse(wait)


def lapse(wait_id: str) -> Wait | None:
    """The car first, as everywhere; what was held is offered to the next."""
    seen = session.get(Wait, wait_id)
    car_id = seen.offered_car_id if seen is not None else None
    if car_id is not None:
        session.get(Car, car_id, with_for_update=True)
    wait = session.get(Wait, wait_id, with_for_update=True, populate_existing=True)
    if wait is None or wait.state not in STANDS:
        return wait
    if wait.state == "offered" and wait.offered_car_id is not None:
        occupancy.vacate(wait.id)
        _held_no_longer(wait)
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
        lapse(one)


@transactional
def on_allowed(fact: MembershipChanged | PersonRestored) -> None:
    """What they could not have may be had now."""
    theirs = select(Wait.id).where(Wait.person_id == fact.person, Wait.state == "waiting")
    now = clock.now()
    deadlines.plan([Due("wait_look", one, now) for one in session.scalars(theirs)])


@transactional
def on_terms(fact: TermsChanged) -> None:
    """What the terms of the car did not allow may be allowed now."""
    deadlines.at("freed", fact.car, clock.now())
