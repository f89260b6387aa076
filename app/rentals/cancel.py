"""Cancel: the driver by the ladder of the quote, owner and system at no cost to the driver."""

from app.cars import terms
from app.facts import RentalCancelled
from app.kit import clock, deadlines, facts
from app.kit.db import transactional
from app.rentals import access, grants_out, lifecycle
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Rental
from payments.pricing import owed_on_cancellation
from payments.tariff import Price


@transactional
def cancel(person: str, rental_id: str, reason: str) -> tuple[Rental, int, int]:
    """Cancel before the unlock. Returns the rental, what is owed and what of the price is given back (minor units).

    Raises NotFound, NotAllowed, StepNotAllowed (with the remedy "lock" once the car may be out).
    """
    _, rental, role = access.locked_as(rental_id, person, Role.DRIVER, Role.OWNER)
    owed = _cancel(rental, role, reason)
    total = int(rental.price["total"]["amount"])
    return rental, owed, total - owed


@transactional
def by_system(rental_id: str, reason: str) -> None:
    """Member removed, car unsafe, cover or hold impossible: all back. A rental that is out or over stays."""
    _, rental = access.locked(rental_id)
    if rental.stands in (State.REQUESTED, State.BOOKED):
        _cancel(rental, Role.SYSTEM, reason)


def _cancel(rental: Rental, role: Role, reason: str) -> int:
    following = lifecycle.after(rental.stands, Step.CANCEL, role)
    now = clock.now()
    by = "driver" if role is Role.DRIVER else "owner" if role is Role.OWNER else "system"
    price = Price.from_dict(rental.price)
    owed = owed_on_cancellation(terms.tariff(rental.terms), price, rental.from_at, now, by)  # type: ignore[arg-type]
    rental.state, rental.over_at, rental.extension = following.value, now, None
    rental.towards_cost = owed.amount
    deadlines.drop(rental.id)
    grants_out.give_slot_back(rental, "cancelled")
    facts.record(RentalCancelled(rental=rental.id, by=by, reason=reason, owed=owed.amount))
    return owed.amount
