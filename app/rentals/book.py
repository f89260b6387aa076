"""Book: a quote becomes a rental that holds its slot; price and terms are frozen here, not at approval."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import load_only

from app.billing import hold, means
from app.cars import access as cars_access
from app.cars import bookable, occupancy, terms
from app.cars.models import Car
from app.communities.models import Community
from app.coverage import confirm as confirm_cover
from app.coverage import cover
from app.coverage.cover import Trip
from app.facts import RentalAsked, RentalBooked
from app.kit import clock, deadlines, facts
from app.kit.db import PublicId, bare, new_id, session, transactional
from app.kit.deadlines import Due
from app.kit.driver import plain
from app.kit.errors import Arrears, CardNeeded, NotFound, NotInsurable, QuoteExpired, Validation
from app.people import conditions
from app.people.models import Person
from app.rentals import charge_watch, distance, freed, start_check, trust
from app.rentals import quote as quotes
from app.rentals.lifecycle import State
from app.rentals.models import QUO, Quote, Rental
from payments.money import Money
from payments.pricing import deposit_amount, hold_amount
from payments.split import ShareTable
from payments.tariff import Fare, Price

_QUOTE = (
    select(Quote, Person)
    .join(Person, Person.id == Quote.person_id)
    .options(load_only(Person.name))
    .where(
        Quote.id == bindparam("quote", type_=PublicId(QUO)),
        Quote.person_id == bindparam("person", type_=PublicId("per")),
    )
)
"""The quote, and whose name the rental will show."""
_USED = text("select from rentals where quote_id = :quote")
ANSWER_WITHIN, ANSWER_AT_LEAST, SOON = timedelta(hours=24), timedelta(minutes=30), timedelta(hours=1)


@transactional
def book(person: str, body: dict[str, Any]) -> Rental:
    """Turn one's quote into a rental, requested or booked at once.

    Raises what a quote raises, and QuoteExpired, Arrears, CardNeeded, NotInsurable, CarTaken.
    """
    frozen = _quote(person, body["quote"])
    car = cars_access.of(frozen.car_id, lock=True)
    mine, offered = bookable.look(car, person, frozen.community_id, frozen.from_at, frozen.to_at)
    now = clock.now()
    if frozen.expires_at <= now or frozen.rental_id is not None or _is_used(frozen):
        raise QuoteExpired("Ask for a new quote.")
    if mine is None:
        raise NotFound
    quotes.check_rules(car, frozen.community_id, (frozen.from_at, frozen.to_at), person, now, frozen.terms)
    buffer = terms.buffer_of(frozen.terms)
    quotes.check_offered(car, frozen.from_at, frozen.to_at, buffer, offered=offered)
    distance.check(car, frozen.expected_km, frozen.range_km)
    trip = Trip("", car, person, frozen.community_id, frozen.from_at, frozen.to_at)
    reasons = cover.reasons_against(trip, ignore_clearance=True)
    _accept(person, frozen, body.get("accept", []))
    if reasons:
        raise NotInsurable("The insurer's rules do not allow this rental.", reasons=reasons)
    card = _card(person, frozen, body.get("card"))
    rental = _make(person, car, frozen, card, body.get("note"), now)
    if needs_approval(frozen):
        _ask(rental, now)
    else:
        confirm(car, rental, approved_by=None, on_session=True)
    return rental


def _quote(person: str, quote: str) -> Quote:
    """One's own quote. Raises NotFound."""
    found = session.execute(_QUOTE, {"quote": quote, "person": person}).first()
    if found is None:
        raise NotFound
    return found[0]


def _is_used(frozen: Quote) -> bool:
    """Whether it has become a rental already. With the car locked: a second tap waits there for the first."""
    return bool(plain(_USED, {"quote": bare(frozen.id, QUO)}, flush=False))


def _accept(person: str, frozen: Quote, given: list[str]) -> None:
    """Every version in the quote is accepted, now or before. Raises Validation with what is missing."""
    missing = sorted(set(frozen.conditions) - conditions.accept(person, given))
    if missing:
        detail = f"Accept {', '.join(missing)}; read them at /conditions/{missing[0]}."
        raise Validation(errors=[{"pointer": "/accept", "code": "required", "detail": detail}])


def amount_to_hold(rental: Rental | Quote) -> Money:
    return hold_amount(
        terms.tariff(rental.terms),
        Fare(rental.fare),
        Price.from_dict(rental.price),
        rental.from_at,
        rental.to_at,
        limit=rental.cost_left,
    )


def deposit_to_hold(rental: Rental | Quote) -> Money:
    return deposit_amount(terms.tariff(rental.terms), Fare(rental.fare))


def _card(person: str, frozen: Quote, given: str | None) -> str | None:
    """The card to pay with, where anything is to be paid. Raises Arrears, CardNeeded."""
    if not (amount_to_hold(frozen) or deposit_to_hold(frozen)):
        return None
    due, card = means.of(person, given)
    if due:
        raise Arrears("Pay what is open first.", due=due.to_dict())
    if card is None:
        raise CardNeeded("Save a card with POST /v1/me/cards first.")
    return card


def _make(person: str, car: Car, frozen: Quote, card: str | None, note: str | None, now: datetime) -> Rental:
    is_offered = freed.take(frozen)
    rental = Rental(
        id=new_id("ren"),
        car_id=car.id,
        car_no=car.no,
        community_id=frozen.community_id,
        driver_id=person,
        quote_id=frozen.id,
        state=State.REQUESTED.value,
        from_at=frozen.from_at,
        to_at=frozen.to_at,
        fare=frozen.fare,
        terms_version=frozen.terms_version,
        terms=frozen.terms,
        price=frozen.price,
        shares=frozen.shares,
        cost_left=frozen.cost_left,
        towards_cost=Price.from_dict(frozen.price).rent.amount,
        card=card,
        note=note,
        made_at=now,
    )
    span, buffer = (rental.from_at, rental.to_at), terms.buffer_of(rental.terms)
    first = None if is_offered else freed.before(person, *span)
    occupancy.occupy_rental(car, rental.id, *span, buffer, first=first)
    session.add(rental)
    return rental


def needs_approval(frozen: Quote) -> bool:
    """The community's rule; `by_fare` lets the free fare, given to those closest, book without asking, `by_trust` besides
    whoever has brought cars back well.

    Who runs the car asks nobody: nobody else might be there to answer.
    """
    car = session.get_one(Car, frozen.car_id)
    return asks_owner(car, frozen.person_id, frozen.community_id, frozen.fare)


def asks_owner(car: Car, person: str, community: str, fare: str) -> bool:
    """Whether this member's booking of the car waits for its owner's yes."""
    if cars_access.runs(car, person):
        return False
    rule = session.get_one(Community, community).rule("approval")
    if rule in ("always", "never"):
        return bool(rule == "always")
    if fare == "free":
        return False
    return rule == "by_fare" or not trust.is_trusted(person, community)


def _ask(rental: Rental, now: datetime) -> None:
    rental.answer_by = min(now + ANSWER_WITHIN, max(rental.from_at, now + ANSWER_AT_LEAST), rental.to_at)
    deadlines.at("lapse", rental.id, rental.answer_by)
    facts.record(RentalAsked(rental=rental.id))


def confirm(car: Car, rental: Rental, *, approved_by: str | None, on_session: bool) -> None:
    """The slot is the driver's: money is planned, the clock's steps are set. The caller holds car and rental."""
    rental.state, rental.approved_by = State.BOOKED.value, approved_by
    if rental.answer_by is not None:
        rental.answer_by = None
        deadlines.drop(rental.id, "lapse")
    due = steps(rental, clock.now())
    amount, deposited = amount_to_hold(rental), deposit_to_hold(rental)
    if amount or deposited:
        assert rental.card is not None
        due += hold.plan(
            rental=rental.id,
            driver=rental.driver_id,
            community=rental.community_id,
            amount=amount,
            deposited=deposited,
            starts_at=rental.from_at,
            card=rental.card,
            on_session=on_session,
            payee=payee(car),
            shares=ShareTable.from_dict(rental.shares) if rental.shares else None,
        )
    deadlines.plan(due)
    confirm_cover.ask(
        Trip(rental.id, car, rental.driver_id, rental.community_id, rental.from_at, rental.to_at)
    )
    facts.record(RentalBooked(rental=rental.id, approved_by=approved_by))


def steps(rental: Rental, now: datetime) -> list[Due]:
    """The steps the clock will take; what the booking itself looks at now is not looked at again at once."""
    watched = max(now, rental.from_at - charge_watch.FROM)
    checks = {
        **({"charge_watch": watched} if watched <= rental.from_at - charge_watch.UNTIL else {}),
        "start_check": rental.from_at - start_check.EARLY,
        "start_check_again": rental.from_at - start_check.LATE,
    }
    may_come_from = max(rental.from_at, now) if rental.instead_of_id else rental.from_at
    planned = {
        "about_to_start": rental.from_at - SOON,
        "no_show": may_come_from + timedelta(minutes=rental.terms["no_show_min"]),
        "late": rental.to_at,
        **{kind: due for kind, due in checks.items() if due >= now},
    }
    return [Due(kind, rental.id, due) for kind, due in planned.items()]


def payee(car: Car) -> str:
    """Who earns: the owner, or the community that owns the car."""
    found = car.owner_id or car.community_id
    assert found is not None
    return found
