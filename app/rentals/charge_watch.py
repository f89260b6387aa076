"""The charge watch: from six hours before a rental whoever holds the car is told while a cable can still mend it."""

import math
from datetime import timedelta

from sqlalchemy import select

from app.cars import alerts, charge_plan
from app.cars.models import Car
from app.facts import ChargeShort
from app.kit import clock, deadlines
from app.kit.clock import z
from app.kit.db import session, transactional
from app.rentals import access
from app.rentals.lifecycle import State
from app.rentals.models import Quote, Rental

FROM, AGAIN, UNTIL = timedelta(hours=6), timedelta(hours=1), timedelta(hours=1)
"""An hour before the start the check of the start takes over, which tells driver and owner."""


@transactional
def watch(rental_id: str) -> None:
    """Foresee the charge at the start; too little is told once, and forgotten when it is enough again."""
    car, rental = access.locked(rental_id)
    now = clock.now()
    if rental.stands is not State.BOOKED or now >= rental.from_at:
        return
    _judge(car, rental)
    further = math.ceil((rental.from_at - now) / AGAIN) - 1
    if further * AGAIN >= UNTIL:
        deadlines.at("charge_watch", rental.id, rental.from_at - further * AGAIN)


def _judge(car: Car, rental: Rental) -> None:
    box = alerts.locked(car.id)
    foreseen = charge_plan.foreseen(car, box, rental.from_at)
    if box is None or foreseen is None:
        return
    about = alerts.standing(box).get("charge_short", {}).get("for")
    short = is_short(car, rental, foreseen)
    if about is not None and (about != rental.id or not short):
        alerts.end(box, "charge_short")
    if short and about != rental.id:
        held, percent = alerts.Held(box), int(foreseen.charge.percent)
        fact = ChargeShort(car=car.id, rental=held.rental, at=rental.from_at, percent=percent)
        about_it = {"for": rental.id, "percent": percent, "at": z(rental.from_at)}
        alerts.begin(box, "charge_short", fact, held.rental, clock.now(), **about_it)


def is_short(car: Car, rental: Rental, foreseen: charge_plan.Foreseen) -> bool:
    """Less than the owner's rule wants at the start, or than the stated distance takes."""
    needed = foreseen.needed((car.charge_rule or {}).get("min_start"), charge_plan.km_of(car, rental.id))
    return needed is not None and foreseen.charge.percent < needed


def stated_km(rentals: list[str]) -> dict[str, int]:
    """The distances that drivers have stated."""
    if not rentals:
        return {}
    rows = session.execute(
        select(Rental.id, Quote.expected_km)
        .join(Quote, Quote.id == Rental.quote_id)
        .where(Rental.id.in_(rentals), Quote.expected_km.is_not(None))
    )
    return {row.id: row.expected_km for row in rows}
