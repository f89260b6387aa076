"""Extend: by who may book, before the planned end, into free time, the difference secured, the cover endorsed."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.billing import hold
from app.cars import access as cars
from app.cars import occupancy, terms
from app.cars.models import Car
from app.coverage import confirm, cover, name_driver
from app.facts import (
    ConfirmationRefused,
    ExtensionAsked,
    ExtensionDeclined,
    MemberRemoved,
    MembershipChanged,
    PaymentFailed,
    PaymentHeld,
    PersonSuspended,
    RentalExtended,
)
from app.kit import clock, deadlines, facts
from app.kit.clock import z
from app.kit.db import session, transactional
from app.kit.errors import NotInsurable, QuoteExpired, StepNotAllowed
from app.rentals import access, book, due_back, freed, lifecycle
from app.rentals import quote as quotes
from app.rentals.lifecycle import OUT, Role, State, Step
from app.rentals.models import Quote, Rental
from payments.money import Money
from payments.tariff import Price

ANSWER_WITHIN = timedelta(hours=24)


@transactional
def extend(person: str, rental_id: str, quote_id: str) -> tuple[Rental, bool]:
    """Take a longer quote. Returns the rental and whether the owner is asked first: always, of a car that they lend there no
    more.

    Raises NotFound, NotAllowed (also who may not book there any more), StepNotAllowed, QuoteExpired, OutsideWindows,
    CarTaken, NotInsurable.
    """
    car, rental, role = access.locked_as(rental_id, person, Role.DRIVER, Role.OWNER)
    lifecycle.after(rental.stands, Step.EXTEND, role)
    now = clock.now()
    if now >= rental.to_at:
        raise StepNotAllowed(
            "The planned end has passed: the tariff runs on, after the grace comes the late fee, and the cover goes on.",
            state=rental.state,
            steps=["lock"],
        )
    access.require_may_book_on(rental)
    frozen = quotes.find(person, quote_id)
    if frozen.rental_id != rental.id or frozen.expires_at <= now or frozen.to_at <= rental.to_at:
        raise QuoteExpired("Ask for a new quote.")
    if rental.extension is not None:
        raise StepNotAllowed(
            "An extension is asked already; wait for its answer.", state=rental.state, steps=["lock"]
        )
    _must_be_payable(rental, frozen)
    quotes.check_extension(car, rental, frozen.to_at)
    _must_be_insurable(
        cover.Trip(rental.id, car, rental.driver_id, rental.community_id, rental.from_at, frozen.to_at), now
    )
    if occupancy.is_freed(car):
        freed.before(rental.driver_id, rental.to_at, frozen.to_at)(car)
    occupancy.stretch(car, rental.id, frozen.to_at, terms.buffer_of(rental.terms))
    rental.extension = {"to": z(frozen.to_at), "quote": frozen.id, "state": "asked", "price": frozen.price}
    deadlines.at("extension", rental.id, min(now + ANSWER_WITHIN, rental.to_at))
    unasked = rental.terms["extension"] == "auto" or not book.needs_approval(frozen)
    if unasked and rental.community_id in cars.communities(car):
        return rental, not _secure(car, rental, frozen)
    facts.record(ExtensionAsked(rental=rental.id, to=frozen.to_at))
    return rental, True


def _must_be_insurable(longer: cover.Trip, now: datetime) -> None:
    """By the rules, with everybody who is named; an insurer that confirms first is asked.

    A rental that has begun is judged by the policy its cover was bound under, also where that was early, and the next
    was in force by the planned start.
    """
    given = cover.open_of_car(longer.car.no)
    begun = given.from_at if given is not None and given.rental_id == longer.rental else None
    reasons = cover.reasons_against(longer, at=begun, ignore_clearance=True)
    if reasons:
        raise NotInsurable("The insurer's rules do not allow that long a rental.", reasons=reasons)
    named = name_driver.refused(longer, now)
    if named is not None:
        detail = "A driver you named cannot be insured for that long: take them off first."
        raise NotInsurable(detail, driver=named[0], reasons=named[1])
    confirm.ask(longer)


def _more(rental: Rental, frozen: Quote) -> Money:
    """What must be held besides for the longer quote."""
    return book.amount_to_hold(frozen) - book.amount_to_hold(rental)


def _must_be_payable(rental: Rental, frozen: Quote) -> None:
    """What was booked with nothing to pay has no payment that more could be asked by; it is not given for nothing."""
    if _more(rental, frozen).amount > 0 and hold.of(rental.id) is None:
        raise StepNotAllowed(
            "This rental was booked with nothing to pay and its longer one costs something: bring the car back in time and"
            " book anew.",
            state=rental.state,
            steps=["lock"],
        )


def _secure(car: Car, rental: Rental, frozen: Quote) -> bool:
    """The price difference is held first; True when there is none and the extension is taken at once."""
    difference = _more(rental, frozen)
    if difference.amount <= 0:
        _take(car, rental, frozen)
        return True
    _must_be_payable(rental, frozen)
    payment = hold.raise_amount(rental.id, difference)
    rental.extension = {**(rental.extension or {}), "state": "securing", "payment": payment}
    return False


def _take(car: Car, rental: Rental, frozen: Quote) -> None:
    rental.to_at, rental.price, rental.extension = frozen.to_at, frozen.price, None
    rental.back_at = None  # said about the earlier end
    rental.cost_left, rental.towards_cost = frozen.cost_left, Price.from_dict(frozen.price).rent.amount
    cover.extend(rental.id, frozen.to_at)
    deadlines.drop(rental.id, "extension")
    deadlines.at("late", rental.id, frozen.to_at)
    occupancy.stretch(car, rental.id, frozen.to_at, terms.buffer_of(rental.terms))
    facts.record(RentalExtended(rental=rental.id, to=frozen.to_at))


def _waits_for(rental: Rental, payment: str) -> bool:
    """Still under way, and this is the money its later end waits for."""
    known = rental.extension is not None and rental.extension.get("payment") == payment
    return known and rental.stands in (State.BOOKED, *OUT)


@transactional
def on_held(fact: PaymentHeld) -> None:
    """The money for a later end is secured."""
    car, rental = access.locked(fact.rental)
    if not _waits_for(rental, fact.payment):
        return
    assert rental.extension is not None
    if access.may_book_on(rental, share_lock=True):
        _take(car, rental, quotes.find(rental.driver_id, rental.extension["quote"]))
    else:
        _drop(car, rental)


@transactional
def on_failed(fact: PaymentFailed) -> None:
    """The money for a later end cannot be had: the rental ends as planned."""
    car, rental = access.locked(fact.rental)
    if _waits_for(rental, fact.payment):
        _drop(car, rental)


@transactional
def on_refused(fact: ConfirmationRefused) -> None:
    """The insurer will not have the longer rental: it ends as planned."""
    car, rental = access.locked(fact.rental)
    if rental.extension is not None and rental.stands in (State.BOOKED, *OUT):
        _drop(car, rental)


@transactional
def on_left(fact: MemberRemoved | MembershipChanged | PersonSuspended) -> None:
    """Who may not book there any more has no later end either, asked for or being secured: it ends as planned."""
    theirs = select(Rental.id).where(
        Rental.driver_id == fact.person,
        Rental.extension.is_not(None),
        Rental.state.in_([state.value for state in OUT]),
    )
    for rental_id in sorted(session.scalars(theirs)):
        car, rental = access.locked(rental_id)
        waits_still = rental.extension is not None and rental.stands in OUT
        if waits_still and not access.may_book_on(rental):
            _drop(car, rental)


@transactional
def approve(person: str, rental_id: str) -> Rental:
    """The owner agrees to the longer rental. Raises NotFound, NotAllowed, StepNotAllowed."""
    car, rental = _asked(person, rental_id)
    assert rental.extension is not None
    if not access.may_book_on(rental, share_lock=True):
        raise _not_asked(rental)
    if rental.extension["state"] == "asked":
        _secure(car, rental, quotes.find(rental.driver_id, rental.extension["quote"]))
    return rental


@transactional
def decline(person: str, rental_id: str) -> Rental:
    """The owner does not agree: the rental ends as planned."""
    car, rental = _asked(person, rental_id)
    _drop(car, rental)
    return rental


def _asked(person: str, rental_id: str) -> tuple[Car, Rental]:
    car, rental, _ = access.locked_as(rental_id, person, Role.OWNER)
    if rental.extension is None or rental.stands not in (State.BOOKED, State.ACTIVE):
        raise _not_asked(rental)
    return car, rental


def _not_asked(rental: Rental) -> StepNotAllowed:
    """What the owner's answer comes to: a driver who may not book any more keeps the planned end."""
    detail = (
        "No extension is asked."
        if access.may_book_on(rental)
        else "The driver may not book in this community any more: the rental ends as planned."
    )
    return StepNotAllowed(detail, state=rental.state, steps=[])


def _drop(car: Car, rental: Rental) -> None:
    payment = (rental.extension or {}).get("payment")
    if payment is not None:
        hold.drop_raise(payment)
    rental.extension = None
    deadlines.drop(rental.id, "extension")
    buffer, until = terms.buffer_of(rental.terms), due_back.held_until(rental, clock.now())
    occupancy.stretch(car, rental.id, rental.to_at, buffer)
    if rental.stands in OUT and until > rental.to_at:
        occupancy.grow(car, rental.id, until, buffer)
    facts.record(ExtensionDeclined(rental=rental.id))


@transactional
def lapse(rental_id: str) -> None:
    """Nobody answered before the planned end: as if declined."""
    car, rental = access.locked(rental_id)
    if rental.extension is not None and rental.stands in (State.BOOKED, *OUT):
        _drop(car, rental)
