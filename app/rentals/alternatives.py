"""Another car of the community for the same span, when the one booked is late, missing, unsafe or not ready."""

from datetime import datetime, timedelta
from typing import Any

from app.cars import access as cars
from app.cars import blur, find, terms
from app.cars.models import Car
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotAllowed
from app.rentals import access, book, due_back, start_check
from app.rentals.lifecycle import Role
from app.rentals.models import Rental

OF_THE_CAR = frozenset(("box", "capability", "charge", "safe", "range"))
"""What would refuse the unlock, or leave its driver short, and would not with another car."""
SOON = timedelta(hours=24)
"""What is wrong with a car for longer before the start than this, but for an unsafe one, has time to be mended."""


def of(
    rental_id: str, person: str, *, limit: int, cursor: str | None
) -> tuple[list[Any], Rental, str | None]:
    """Rows of the cars that the rental could be swapped to, the nearest to the booked one first; the rental; the next page.
    A page may hold fewer than asked.

    Raises NotFound, NotAllowed.
    """
    rental = access.may_see(rental_id, person)
    if access.role_of(rental, person) is not Role.DRIVER:
        raise NotAllowed("Only the driver looks for another car.")
    now = clock.now()
    from_at, to_at = span_left(rental, now)
    if from_at >= to_at:
        return [], rental, None
    query = {
        "near": blur.blurred(session.get_one(Car, rental.car_id)),
        "radius_km": blur.ANYWHERE_KM,
        "free_from": from_at,
        "free_to": to_at,
        "community": rental.community_id,
        "limit": limit,
        "cursor": cursor,
        "buffer": terms.buffer_of(rental.terms),  # which a swap keeps, as all of its terms
    }
    rows, following = find.find(person, query)
    return [row for row in rows if _may_replace(row.id.hex, rental, now)], rental, following


def span_left(rental: Rental, now: datetime) -> tuple[datetime, datetime]:
    """What of its span is still to come."""
    return max(rental.from_at, now), rental.to_at


def _may_replace(car_hex: str, rental: Rental, now: datetime) -> bool:
    car, booked = session.get_one(Car, f"car_{car_hex}"), session.get_one(Car, rental.car_id)
    if car.id == booked.id or car.owner_id == rental.driver_id or car.country != booked.country:
        return False
    return not waits_for_owner(car, rental) and not in_the_way(car, rental, now)


def waits_for_owner(car: Car, rental: Rental) -> bool:
    """Whether somebody has to be asked first: not who has agreed to this very rental already."""
    if rental.approved_by is not None and cars.runs(car, rental.approved_by):
        return False
    return book.asks_owner(car, rental.driver_id, rental.community_id, rental.fare)


def in_the_way(car: Car, rental: Rental, now: datetime) -> list[str]:
    """What of a car stands in the way of this rental's start, as codes of the unlock's conditions."""
    if rental.from_at - now > SOON:
        return ["safe"] if car.unsafe else []
    found = [code for code in start_check.in_the_way(car, rental, now) if code in OF_THE_CAR]
    return ["car_back", *found] if _comes_late(car, rental, now) else found


def _comes_late(car: Car, rental: Rental, now: datetime) -> bool:
    """Another has the car and will not have brought it back by the start, or nobody knows when."""
    out = access.out_of_car(car.no)
    if out is None or out.id == rental.id:
        return False
    expected = due_back.expected(out, now)
    return expected is None or expected > max(rental.from_at, now)
