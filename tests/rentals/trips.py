"""Rentals that are over and what was paid for them, as rows: what receipts, statements and tax reports read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.billing import ledger
from app.billing.models import Card, Payment
from app.cars.models import Car
from app.facts import PaymentRefunded, PaymentSucceeded
from app.kit import clock
from app.kit.db import new_id, release, session, transactional
from app.people.models import Person
from app.rentals import receipts
from tests import factories
from tests.messages import stage

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
LINES = (("time", 180, "min", 1800), ("km", 30, "km", 900))


def price(currency: str = "EUR", lines: Any = LINES) -> dict[str, Any]:
    made = [
        {"code": code, "quantity": n, "unit": unit, "amount": {"amount": amount, "currency": currency}}
        for code, n, unit, amount in lines
    ]
    total = sum(line[3] for line in lines)
    return {"lines": made, "total": {"amount": total, "currency": currency}}


@dataclass
class Trip:
    """Max has driven Olga's car."""

    olga: Person
    max: Person
    car: Car
    community: str
    rental: str
    currency: str

    def again(self, **values: Any) -> "Trip":
        """Another rental of the same two."""
        return Trip(
            self.olga,
            self.max,
            self.car,
            self.community,
            _over(self.car, self.community, self.max, self.currency, **values),
            self.currency,
        )


def trip(
    *, country: str = "FR", currency: str = "EUR", driver: dict[str, Any] | None = None, **values: Any
) -> Trip:
    olga = factories.person("Olga Owner", country=country)
    member = factories.person(**{"name": "Max Member", "country": country, **(driver or {})})
    circle = factories.circle(olga, member)
    worth = {"amount": 1_500_000, "currency": currency}
    car = factories.shared(olga, circle, country=country, declared_value=worth)
    return Trip(olga, member, car, circle.id, _over(car, circle.id, member, currency, **values), currency)


def _over(car: Car, community: str, driver: Person, currency: str, **values: Any) -> str:
    ended = {
        "state": "ended",
        "started_at": START,
        "ended_at": START + timedelta(hours=3),
        "odometer_start": 1200.0,
        "odometer_end": 1330.0,
        "final_price": price(currency),
    }
    return stage.rental(car, community, driver, START, **{**ended, **values})


@transactional
def pay(one: Trip, amount: int = 2700, *, purpose: str = "rent", at: datetime | None = None) -> str:
    """Captured, with its books; nobody has been told yet."""
    card = Card(id=new_id("crd"), person_id=one.max.id, state="saved", made_at=START)
    session.add(card)
    session.flush()
    row = Payment(
        id=new_id("pay"),
        rental_id=one.rental,
        person_id=one.max.id,
        payee=one.olga.id,
        card_id=card.id,
        purpose=purpose,
        state="captured",
        currency=one.currency,
        amount=amount,
        captured=amount,
        owed=amount,
        starts_at=START,
        on_session=True,
        made_at=START,
        changed_at=START,
    )
    session.add(row)
    session.flush()
    if at is not None:
        clock.told(at)
    ledger.captured(row, row.money(amount), 1)
    return row.id


@transactional
def give_back(payment: str, amount: int) -> None:
    row = session.get_one(Payment, payment, populate_existing=True)
    row.refunded += amount
    row.state = "refunded" if row.refunded == row.captured else "captured"
    ledger.refunded(row, row.money(amount), new_id("pcm"), 1)


def told_paid(one: Trip) -> None:
    receipts.on_paid(PaymentSucceeded("pay_1", one.rental, 1, one.currency))
    release()


def told_given_back(one: Trip) -> None:
    receipts.on_moved(PaymentRefunded("pay_1", one.rental, 1, one.currency))
    release()
