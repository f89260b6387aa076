"""Will the unlock succeed: looked at when booked, and 60 and 10 minutes before the start; what stands in the way is told."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.cars import box as boxes
from app.cars import charge_plan
from app.cars.models import Car
from app.coverage import confirm, cover, eligibility
from app.facts import (
    CarBarred,
    CarStolen,
    CoverUnconfirmed,
    DamageChanged,
    DamageReported,
    RentalBooked,
    StartAtRisk,
)
from app.kit import clock, facts
from app.kit.db import session, transactional
from app.people import phones
from app.rentals import grants_out, readiness
from app.rentals.lifecycle import State
from app.rentals.models import Rental
from app.rentals.readiness import Asked

EARLY, LATE = timedelta(minutes=60), timedelta(minutes=10)
NOT_YET = frozenset(("state", "time", "command", "photos"))
"""Conditions that only the moment of the unlock itself can meet."""
FAR_AHEAD = frozenset(("membership", "licence", "accepted", "phone", "capability", "safe", "charge", "range"))
"""What can be said at a booking for another day; the rest (a silent box, a hold that is due later) changes by itself."""
UNDER_WAY = frozenset(("payment", "cover"))
"""At the booking itself the hold and the insurer's answer are on their way; what becomes of them is told apart."""
CODES = (
    *("car_back", "other_rental", "membership", "licence", "accepted", "phone", "payment", "cover", "box"),
    *("capability", "charge", "safe", "doors", "battery_12v", "range"),
)
"""All that may be told, in this order."""


@transactional
def booked(fact: RentalBooked) -> None:
    """At the booking: what has days to be mended is told early."""
    _tell(fact.rental, None)


@transactional
def of_unsafe_car(fact: DamageReported | DamageChanged | CarBarred | CarStolen) -> None:
    """Whoever has booked a car that is found unsafe hears of it while another can still be had."""
    car = session.get_one(Car, fact.car, populate_existing=True)
    if not car.unsafe or not getattr(fact, "unsafe", True) or not getattr(fact, "became_unsafe", True):
        return
    ahead = select(Rental.id).where(
        Rental.car_id == car.id, Rental.state == State.BOOKED.value, Rental.to_at > clock.now()
    )
    for rental in session.scalars(ahead.order_by(Rental.from_at)):
        facts.record(StartAtRisk(rental=rental, codes="safe", ahead_min=None, found_unsafe=True))


@transactional
def early(rental_id: str) -> None:
    """An hour before the start."""
    _tell(rental_id, EARLY)


@transactional
def late(rental_id: str) -> None:
    """Ten minutes before the start."""
    _tell(rental_id, LATE)


def _tell(rental_id: str, ahead: timedelta | None) -> None:
    rental = session.get_one(Rental, rental_id, populate_existing=True)
    now = clock.now()
    if rental.stands is not State.BOOKED or now >= rental.to_at:
        return
    car = session.get_one(Car, rental.car_id)
    found = in_the_way(car, rental, now)
    if ahead is None:
        found = [code for code in found if code not in UNDER_WAY]
    elif ahead == EARLY and "cover" in found and _is_but_unconfirmed(car, rental):
        found.remove("cover")
    if found:
        minutes = int(ahead / timedelta(minutes=1)) if ahead is not None else None
        facts.record(StartAtRisk(rental=rental.id, codes=",".join(found), ahead_min=minutes))


def _is_but_unconfirmed(car: Car, rental: Rental) -> bool:
    """All that the cover lacks is the insurer's word, which still has half an hour: then `unconfirmed` tells."""
    reasons = cover.reasons_against(grants_out.trip(car, rental), at=rental.from_at)
    return reasons == [eligibility.NOT_CONFIRMED]


@transactional
def unconfirmed(rental_id: str) -> None:
    """Half an hour before the start: the insurer confirms first, and has not."""
    rental = session.get_one(Rental, rental_id, populate_existing=True)
    if rental.stands is not State.BOOKED or clock.now() >= rental.to_at:
        return
    if confirm.is_missing(grants_out.trip(session.get_one(Car, rental.car_id), rental)):
        facts.record(CoverUnconfirmed(rental=rental.id))


def in_the_way(car: Car, rental: Rental, now: datetime) -> list[str]:
    """The conditions of the unlock that would not be met at the start, as far as that can be said now."""
    at = max(now, rental.from_at)
    asked = Asked(rental.driver_id, _phone(rental.driver_id))
    unmet = {one.code for one in readiness.of(car, rental, "unlock", at, asked) if not one.met} - NOT_YET
    unmet = (unmet - {"charge"}) | _charge(car, rental, at, low_now="charge" in unmet)
    if rental.from_at - now > EARLY:
        unmet &= FAR_AHEAD
    if "licence" in unmet:
        unmet.discard("cover")  # no insurer takes a driver without one: that is said already
    return [code for code in CODES if code in unmet]


def _phone(person: str) -> str | None:
    """Any phone the driver may open with."""
    usable = [one.id for one in phones.of(person) if one.confirmed_at is not None]
    return usable[0] if usable else None


def _charge(car: Car, rental: Rental, at: datetime, *, low_now: bool) -> set[str]:
    """By the forecast for the start; where there is none, by the charge as it is."""
    foreseen = charge_plan.foreseen(car, boxes.live(car.id), at)
    if foreseen is None:
        return {"charge"} if low_now else set()
    least = (car.charge_rule or {}).get("min_start")
    found = {"charge"} if least is not None and foreseen.charge.percent < least else set()
    km = charge_plan.km_of(car, rental.id)
    if km is not None and foreseen.range_km is not None and km > foreseen.range_km:
        found.add("range")
    return found
