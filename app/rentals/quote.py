"""Quotes: the price of a span, frozen with the terms it comes from, after every rule that needs no lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text

from app.cars import access, occupancy, terms, windows
from app.cars.models import Car
from app.communities.models import Community, Membership
from app.coverage import cover
from app.kit import clock
from app.kit.clock import z
from app.kit.db import new_id, session, transactional
from app.kit.errors import (
    CarTaken,
    NotFound,
    OutsideRules,
    OutsideWindows,
    OwnCar,
    Problem,
    StepNotAllowed,
    Validation,
)
from app.people import conditions
from app.rentals import access as rentals
from app.rentals import distance, earnings, energy
from app.rentals.lifecycle import FINAL, State
from app.rentals.models import Quote, Rental
from payments import share_tables
from payments.pricing import estimate
from payments.tariff import Fare, Price

Span = tuple[datetime, datetime]
_ONE_BY_ONE = text("select pg_advisory_xact_lock(hashtextextended(:who, 0))")
"""Bookings of one person at once, of other cars each, are counted one after the other."""
LIVES, LONGEST = timedelta(minutes=15), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Priced:
    """A price, the terms it comes from, what of the car's cost it may cover, and who gets what."""

    fare: str
    terms_version: int
    terms: dict[str, Any]
    price: Price
    cost_left: int | None
    shares: dict[str, Any] | None


@transactional
def quote(person: str, body: dict[str, Any]) -> Quote:
    """A quote for a new rental, or for a longer one.

    Raises NotFound, NotAllowed, OwnCar, OutsideWindows, OutsideRules, CarTaken, StepNotAllowed, Validation.
    """
    if body.get("rental"):
        return _for_extension(person, body["rental"], body["to"])
    now = clock.now()
    car = access.of(body["car"])
    mine = _membership(car, person, body.get("community"), (body["from_"], body["to"]), now)
    version, data = terms.of(car.id, mine.community_id)
    span, km = (body["from_"], body["to"]), body.get("expected_km")
    left = earnings.left_for(car, mine.fare, body["to"], now)
    price = _price(car, mine.fare, data, span, km, left)
    shares = share_tables.of(car.country).to_dict()
    priced = Priced(mine.fare, version, data, price, left, shares)
    made = _freeze(person, car, mine.community_id, span, priced, now)
    made.expected_km = km
    made.range_km = distance.foreseen_range(car, body["from_"], made.expected_km)
    distance.check(car, made.expected_km, made.range_km)
    session.add(made)
    session.flush()
    return made


def _price(
    car: Car, fare: str, data: dict[str, Any], span: Span, km: int | None, cost_left: int | None
) -> Price:
    tariff = terms.tariff(data)
    return estimate(
        tariff,
        Fare(fare),
        *span,
        ZoneInfo(car.time_zone),
        km,
        energy_wh=energy.foreseen(car, km) if tariff.per_kwh else None,
        limit=cost_left,
    )


def _freeze(person: str, car: Car, community: str, span: Span, priced: Priced, now: datetime) -> Quote:
    return Quote(
        id=new_id("quo"),
        person_id=person,
        car_id=car.id,
        community_id=community,
        from_at=span[0],
        to_at=span[1],
        fare=priced.fare,
        terms_version=priced.terms_version,
        terms=priced.terms,
        price=priced.price.to_dict(),
        shares=priced.shares,
        cost_left=priced.cost_left,
        conditions=[conditions.RENTAL, *cover.conditions_of(car)],
        made_at=now,
        expires_at=now + LIVES,
    )


def _membership(car: Car, person: str, community: str | None, span: Span, now: datetime) -> Membership:
    """Through which community the person books: the best in which the span may be had. Raises OwnCar, NotFound, and what
    `check_span` does of the best of all where it may be had in none.
    """
    if car.owner_id == person:
        raise OwnCar("Your own car needs no rental: open it with a car command, or block the time.")
    refused: Problem = NotFound()
    for number, mine in enumerate(access.my_memberships(car, person, community)):
        try:
            check_span(car, mine.community_id, *span, person, now)
        except (OutsideRules, CarTaken) as error:
            refused = error if number == 0 else refused
        else:
            return mine
    raise refused


def check_span(
    car: Car, community: str, from_at: datetime, to_at: datetime, person: str, now: datetime
) -> None:
    """Order, rules, windows and what is booked. Raises Validation, OutsideRules, OutsideWindows, CarTaken."""
    _, data = terms.of(car.id, community)
    check_rules(car, community, (from_at, to_at), person, now, data)
    buffer = terms.buffer_of(data)
    check_offered(car, from_at, to_at, buffer)
    occupancy.require_free(car, from_at, to_at, buffer)


def check_offered(
    car: Car, from_at: datetime, to_at: datetime, buffer: timedelta, *, offered: bool | None = None
) -> None:
    """`offered`, where it is known already. Raises OutsideWindows, with what is free nearby and has the buffer behind it."""
    if offered is None:
        offered = windows.offered(car.no, from_at, to_at)
    if not offered:
        near = occupancy.free_nearby(car, from_at, to_at, buffer=buffer)
        raise OutsideWindows(
            "The owner does not offer the car for that whole span.",
            free_nearby=[{"from": z(a), "to": z(b)} for a, b in near],
        )


def check_rules(
    car: Car, community: str, span: Span, person: str, now: datetime, data: dict[str, Any]
) -> None:
    """A span that can be, and the rules of terms and community. Raises Validation, OutsideRules."""
    from_at, to_at = span
    if not from_at < to_at or from_at < now - terms.BACKDATED:
        detail = "`from` lies before `to`, and not in the past."
        raise Validation(errors=[{"pointer": "/from", "code": "invalid", "detail": detail}])
    circle = session.get(Community, community)
    assert circle is not None
    minutes = (to_at - from_at) / timedelta(minutes=1)
    longest = min(data["max_min"], LONGEST / timedelta(minutes=1))
    if minutes < data["min_min"]:
        raise OutsideRules(f"At least {data['min_min']} minutes.", rule="min_min", limit=data["min_min"])
    if minutes > longest:
        raise OutsideRules(f"At most {int(longest)} minutes.", rule="max_min", limit=int(longest))
    if from_at < now + timedelta(minutes=data["notice_min"]) - terms.BACKDATED:
        raise OutsideRules(
            f"Ask {data['notice_min']} minutes ahead.", rule="notice_min", limit=data["notice_min"]
        )
    if from_at > now + timedelta(days=circle.rule("days_ahead")):
        days = circle.rule("days_ahead")
        raise OutsideRules(f"At most {days} days ahead.", rule="days_ahead", limit=days)
    _check_per_week(circle, car, from_at, person)


def _check_per_week(circle: Community, car: Car, from_at: datetime, person: str) -> None:
    most = circle.rule("per_week")
    if not most:
        return
    session.execute(_ONE_BY_ONE, {"who": f"per_week {circle.id} {person}"})
    local = from_at.astimezone(ZoneInfo(car.time_zone))
    monday = (local - timedelta(days=local.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    count = session.execute(
        select(func.count())
        .select_from(Rental)
        .where(
            Rental.driver_id == person,
            Rental.community_id == circle.id,
            Rental.from_at >= monday,
            Rental.from_at < monday + timedelta(days=7),
            Rental.state.not_in([state.value for state in FINAL - {State.SETTLED, State.NO_SHOW}]),
        )
    ).scalar_one()
    if count >= most:
        raise OutsideRules(f"At most {most} rentals a week.", rule="per_week", limit=most)


def _for_extension(person: str, rental_id: str, to_at: datetime) -> Quote:
    rental = session.get(Rental, rental_id)
    if rental is None or rental.driver_id != person:
        raise NotFound
    car = session.get(Car, rental.car_id)
    assert car is not None
    now = clock.now()
    if rental.stands not in (State.BOOKED, State.ACTIVE) or now >= rental.to_at:
        raise StepNotAllowed(
            "Only before its planned end can a rental be extended.", state=rental.state, steps=["lock"]
        )
    rentals.require_may_book_on(rental)
    if to_at <= rental.to_at or to_at - rental.from_at > LONGEST:
        detail = "Later than the present end, at most 30 days in all."
        raise Validation(errors=[{"pointer": "/to", "code": "invalid", "detail": detail}])
    if to_at - rental.from_at > timedelta(minutes=rental.terms["max_min"]):
        longest = rental.terms["max_min"]
        raise OutsideRules(f"At most {longest} minutes in all.", rule="max_min", limit=longest)
    check_extension(car, rental, to_at)
    before = session.get(Quote, rental.quote_id)
    span, km = (rental.from_at, to_at), before.expected_km if before else None
    left = earnings.left_for(car, rental.fare, to_at, now, but=rental)
    price = _price(car, rental.fare, rental.terms, span, km, left)
    priced = Priced(rental.fare, rental.terms_version, rental.terms, price, left, rental.shares)
    made = _freeze(person, car, rental.community_id, span, priced, now)
    made.rental_id = rental.id
    session.add(made)
    session.flush()
    return made


def check_extension(car: Car, rental: Rental, to_at: datetime) -> None:
    """Offered to the new end, and nothing of others up to the buffer behind it. Raises OutsideWindows, CarTaken."""
    buffer = terms.buffer_of(rental.terms)
    check_offered(car, rental.to_at, to_at, buffer)
    occupancy.require_free(car, rental.to_at, to_at, buffer, rental.id)


def find(person: str, quote_id: str) -> Quote:
    """One's own quote. Raises NotFound."""
    found = session.get(Quote, quote_id)
    if found is None or found.person_id != person:
        raise NotFound
    return found
