"""Swap: the booked car is late, missing, unsafe or not ready, so another of the community takes its place, price kept.

The rental of the failed car is cancelled at no cost and one of the other car takes its place, with the same quote, terms
and money: whatever a grant may still do to the failed car stays with the rental it was given for (ADR 0056).
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.billing import move
from app.cars import access as cars
from app.cars import bookable, occupancy, terms
from app.cars import box as boxes
from app.cars.models import Car
from app.coverage import confirm as confirm_cover
from app.coverage import cover, name_driver
from app.facts import RentalSwapped, TakenInstead
from app.kit import clock, deadlines, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import NotAllowed, NotFound, NotInsurable, OwnCar, StepNotAllowed, Validation
from app.rentals import access, alternatives, book, freed, grants_out, lifecycle, place, readiness
from app.rentals import quote as quotes
from app.rentals.lifecycle import Role, Step
from app.rentals.models import Quote, Rental
from app.rentals.readiness import Condition

MISSING = "missing"


@transactional
def swap(person: str, rental_id: str, car_id: str, *, missing: bool = False) -> Rental:
    """Take another car for what is left of the span. Returns the rental that takes the place of this one.

    `missing`: the driver is there and the car is not, which holds unless its box has reported it at its place lately.
    Raises NotFound, NotAllowed, StepNotAllowed, Validation, OwnCar, OutsideWindows, NotReady, NotInsurable, CarTaken.
    """
    failed, other, rental = _locked(person, rental_id, car_id)
    following = lifecycle.after(rental.stands, Step.SWAP, Role.DRIVER)
    now = clock.now()
    codes = _codes(failed, rental, now, missing=missing)
    _refuse_strange(failed, other, rental, now)
    made = _in_place_of(rental, other, now)
    _require_ready(other, made, now)
    _require_insurable(other, made)
    rental.state, rental.over_at, rental.towards_cost = following.value, now, 0
    deadlines.drop(rental.id)
    grants_out.give_slot_back(rental, "swapped")
    move.to(rental.id, made.id, book.payee(other))
    name_driver.move(rental.id, made.id, now)
    deadlines.plan(book.steps(made, now))
    confirm_cover.ask(grants_out.trip(other, made))
    facts.record(RentalSwapped(rental=rental.id, other=made.id, codes=",".join(codes)))
    facts.record(TakenInstead(rental=made.id, instead_of=rental.id))
    return made


def _locked(person: str, rental_id: str, car_id: str) -> tuple[Car, Car, Rental]:
    """Both cars, in the order of their ids whoever swaps which for which; then the rental. Raises NotFound, NotAllowed."""
    seen = access.may_see(rental_id, person)
    if access.role_of(seen, person) is not Role.DRIVER:
        raise NotAllowed("Only the driver swaps the car.", role=Role.OWNER.value)
    session.execute(
        select(Car.id).where(Car.id.in_((seen.car_id, car_id))).order_by(Car.id).with_for_update()
    )
    failed, rental = access.locked(rental_id)
    return failed, cars.of(car_id, lock=True), rental


def _codes(car: Car, rental: Rental, now: datetime, *, missing: bool) -> list[str]:
    """What is wrong with the booked car. Raises StepNotAllowed where nothing is, or it is too late for another."""
    steps = _steps(rental)
    if now >= rental.to_at:
        raise StepNotAllowed("The planned end has passed.", state=rental.state, steps=steps)
    if rental.extension is not None:
        raise StepNotAllowed(
            "A later end is asked for; wait for its answer, then swap.", state=rental.state, steps=steps
        )
    codes = alternatives.in_the_way(car, rental, now)
    if missing:
        if now < rental.from_at - readiness.EARLY:
            raise StepNotAllowed(
                "That the car is not there is said at its start.", state=rental.state, steps=steps
            )
        codes = _with_word(car, codes, rental, now)
    if not codes:
        raise StepNotAllowed(
            "Nothing is known to be wrong with the booked car: to have another, cancel this one and book it.",
            state=rental.state,
            steps=steps,
        )
    return codes


def _steps(rental: Rental) -> list[str]:
    return [step.value for step in lifecycle.steps(rental.stands, Role.DRIVER) if step is not Step.SWAP]


def _with_word(car: Car, codes: list[str], rental: Rental, now: datetime) -> list[str]:
    """The driver's word that the car is not there besides, unless its box says otherwise. Raises StepNotAllowed where that
    word is all there is.
    """
    seen = place.seen_there(car, boxes.live(car.id), now)
    if seen is None:
        return [*codes, MISSING]
    if not codes:
        at = f"{seen.astimezone(ZoneInfo(car.time_zone)):%H:%M}"
        raise StepNotAllowed(
            f"The car's box has just reported it at its place (at {at}): look again there, the rental shows where. If you"
            " would rather have another car, cancel this one and book it.",
            state=rental.state,
            steps=_steps(rental),
        )
    return codes


def _refuse_strange(failed: Car, other: Car, rental: Rental, now: datetime) -> None:
    """A car that the member may have now, without asking anybody. Raises as `swap`."""
    if other.id == failed.id:
        detail = "That is the car you have booked."
        raise Validation(errors=[{"pointer": "/car", "code": "invalid", "detail": detail}])
    if other.owner_id == rental.driver_id:
        raise OwnCar("Your own car needs no rental.")
    from_at, to_at = alternatives.span_left(rental, now)
    mine, offered = bookable.look(other, rental.driver_id, rental.community_id, from_at, to_at)
    if mine is None:
        raise NotFound
    if other.country != failed.country:
        raise NotAllowed("Price, tax and insurance are those of one country: book a car of another anew.")
    if alternatives.waits_for_owner(other, rental):
        raise NotAllowed("Its owner is asked before each booking: book it anew.")
    quotes.check_offered(other, from_at, to_at, terms.buffer_of(rental.terms), offered=offered)


def _in_place_of(rental: Rental, car: Car, now: datetime) -> Rental:
    """The rental of the other car: the same span, price, terms and shares. Raises CarTaken."""
    frozen = _quote_of(rental, car, now)
    made = Rental(
        id=new_id("ren"),
        car_id=car.id,
        car_no=car.no,
        quote_id=frozen.id,
        instead_of_id=rental.id,
        made_at=now,
        **{name: getattr(rental, name) for name in _KEPT},
    )
    from_at, to_at = alternatives.span_left(rental, now)
    first = freed.before(rental.driver_id, from_at, to_at)
    occupancy.occupy_rental(car, made.id, from_at, to_at, terms.buffer_of(made.terms), first=first)
    session.add(made)
    session.flush()
    return made


_OF_THE_QUOTE = (
    *("community_id", "from_at", "to_at", "fare", "terms_version", "terms", "price", "shares", "cost_left"),
)
_KEPT = (*_OF_THE_QUOTE, "driver_id", "state", "towards_cost", "card", "note", "approved_by")


def _quote_of(rental: Rental, car: Car, now: datetime) -> Quote:
    """The frozen quote once more, of the other car. What was accepted for the one is what the other asks for."""
    before = session.get_one(Quote, rental.quote_id)
    frozen = Quote(
        id=new_id("quo"),
        person_id=rental.driver_id,
        car_id=car.id,
        expected_km=before.expected_km,
        conditions=before.conditions,
        made_at=now,
        expires_at=now,
        **{name: getattr(rental, name) for name in _OF_THE_QUOTE},
    )
    session.add(frozen)
    session.flush()
    return frozen


def _require_ready(car: Car, rental: Rental, now: datetime) -> None:
    """One failed car is enough. Raises NotReady."""
    codes = alternatives.in_the_way(car, rental, now)
    if codes:
        found = [readiness.with_remedy("unlock", Condition(code, met=False)) for code in codes]
        readiness.require(found)


def _require_insurable(car: Car, rental: Rental) -> None:
    """The other car's policy judges the driver and the car anew. Raises NotInsurable."""
    reasons = cover.reasons_against(grants_out.trip(car, rental), ignore_clearance=True)
    if reasons:
        raise NotInsurable("The insurer's rules do not allow this car.", reasons=reasons)
