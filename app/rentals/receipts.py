"""The receipt of a rental: what was driven, what it cost, what was paid, covered and charged minutes side by side."""

from typing import Any

from app.billing import hold
from app.billing.states import CHARGE_REQUEST
from app.cars.models import Car
from app.coverage import cover
from app.facts import PaymentSucceeded, ReceiptReady, RentalEnded
from app.kit import clock, facts
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.people.models import Person
from app.rentals import access
from app.rentals import end as ending
from app.rentals.lifecycle import State


def on_ended(fact: RentalEnded) -> None:
    """Where nothing is to be paid the receipt is there at once."""
    if not fact.total:
        _tell(fact.rental)


def on_paid(fact: PaymentSucceeded) -> None:
    """A priced one has it when the rent is paid."""
    if hold.standing(fact.rental) == "captured":
        _tell(fact.rental)


@transactional
def _tell(rental_id: str) -> None:
    """Once, and only of a rental that took place: a cancellation's share has no receipt."""
    _, rental = access.locked(rental_id)
    if rental.stands in (State.ENDED, State.SETTLED) and rental.receipt_told_at is None:
        rental.receipt_told_at = clock.now()
        facts.record(ReceiptReady(rental=rental.id))


def of(rental_id: str, person: str) -> dict[str, Any]:
    """The receipt, the same for driver and owner; NotFound until the rental has ended."""
    rental = access.may_see(rental_id, person)
    if rental.stands not in (State.ENDED, State.SETTLED) or rental.final_price is None:
        raise NotFound("There is a receipt once the rental has ended.")
    car, driver = session.get(Car, rental.car_id), session.get(Person, rental.driver_id)
    assert car is not None
    assert driver is not None
    bound, paid = cover.of(rental.id), hold.of(rental.id)
    return {
        "rental": rental.id,
        "car": f"{car.make} {car.model}",
        "plate": car.plate,
        "driver": driver.first_name,
        "from_at": rental.started_at,
        "to_at": rental.ended_at,
        "km": ending.driven_km(rental),
        "lines": rental.final_price["lines"],
        "total": rental.final_price["total"],
        "paid": {"amount": paid.captured if paid else 0, "currency": rental.final_price["total"]["currency"]},
        "payment_state": hold.standing(rental.id),
        "charged_after": [
            {"payment": row.id, "amount": row.money(row.amount).to_dict(), "state": row.state}
            for row in hold.all_of(rental.id)
            if row.purpose == CHARGE_REQUEST
        ],
        "covered_minutes": bound.covered_minutes if bound else None,
        "charged_minutes": bound.charged_minutes if bound else None,
        "end_evidence": rental.end_evidence,
    }
