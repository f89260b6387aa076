"""What a text about a rental needs, loaded in one place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.billing import ledger
from app.billing.models import Payment
from app.billing.states import DEPOSIT
from app.cars import access
from app.cars.models import Car
from app.communities import access as circles
from app.kit.db import session
from app.people.models import Person
from app.rentals.lifecycle import State
from app.rentals.models import Rental


@dataclass(frozen=True, slots=True)
class About:
    """A rental as its messages see it; prices as in `payments.tariff.Price.to_dict()`."""

    rental: str
    state: str
    car: str
    car_label: str
    country: str
    zone: str
    driver: str
    driver_first_name: str
    owners: tuple[str, ...]
    from_at: datetime
    to_at: datetime
    price: dict[str, Any]
    final_price: dict[str, Any] | None

    @property
    def total(self) -> dict[str, Any]:
        """What it costs, as far as is known."""
        found: dict[str, Any] = (self.final_price or self.price)["total"]
        return found


def about(rental_id: str) -> About:
    """The rental with its car and people; both always exist."""
    rental = session.get_one(Rental, rental_id)
    car, driver = session.get_one(Car, rental.car_id), session.get_one(Person, rental.driver_id)
    return About(
        rental=rental.id,
        state=rental.state,
        car=car.id,
        car_label=label(car),
        country=car.country,
        zone=car.time_zone,
        driver=driver.id,
        driver_first_name=driver.first_name,
        owners=tuple(one for one in access.runners(car) if one != driver.id),
        from_at=rental.from_at,
        to_at=rental.to_at,
        price=rental.price,
        final_price=rental.final_price,
    )


def label(car: Car) -> str:
    return f"{car.make} {car.model}"


def next_booked(rental_id: str) -> str | None:
    """The booked rental of the same car that comes after this one."""
    late = session.get_one(Rental, rental_id)
    found: str | None = session.scalars(
        select(Rental.id)
        .where(
            Rental.car_id == late.car_id,
            Rental.id != late.id,
            Rental.state == State.BOOKED.value,
            Rental.from_at >= late.from_at,
        )
        .order_by(Rental.from_at)
        .limit(1)
    ).first()
    return found


def is_deposit(payment_id: str) -> bool:
    payment = session.get(Payment, payment_id)
    return payment is not None and payment.purpose == DEPOSIT


def amount_of(payment_id: str) -> dict[str, Any]:
    """What a payment asks for."""
    payment = session.get_one(Payment, payment_id)
    return {
        "amount": payment.owed or payment.amount,  # of a deposit that is given back nothing is owed
        "currency": payment.currency,
    }


def share_of(payment_id: str) -> dict[str, Any] | None:
    """What of a payment is the owner's, by the ledger; None while nothing is."""
    share = ledger.remaining(session.get_one(Payment, payment_id)).owner
    return share.to_dict() if share.amount > 0 else None


def payees(payment_id: str) -> list[str]:
    """Who earns by a payment: a person, or those who run the community that is paid."""
    payee = session.get_one(Payment, payment_id).payee
    return circles.runners(payee) if payee.startswith("com_") else [payee]
