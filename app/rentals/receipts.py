"""The receipt of a rental: what was driven, what it cost, what was paid, covered and charged minutes side by side."""

from collections.abc import Sequence
from typing import Any

from app.billing import document, hold
from app.billing.document_models import Document
from app.billing.states import APART
from app.cars.models import Car
from app.communities.models import Community
from app.coverage import cover
from app.facts import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    ReceiptReady,
    RentalEnded,
    RentalSettled,
)
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.people.models import Person
from app.rentals import access, represent
from app.rentals import end as ending
from app.rentals.lifecycle import State
from app.rentals.models import Rental
from payments.money import Money

TOOK_PLACE = frozenset({State.ENDED, State.SETTLED})
OVER = TOOK_PLACE | {State.CANCELLED, State.NO_SHOW}


def on_ended(fact: RentalEnded) -> None:
    """Where nothing is taken, too little to be taken included, or all was paid before the end, it is there at once."""
    total = Money.from_dict({"amount": fact.total, "currency": fact.currency}) if fact.total else None
    _bring(fact.rental, told=total is None or total.is_too_little)


def on_paid(fact: PaymentSucceeded) -> None:
    """A priced one has it when the rent is paid."""
    _bring(fact.rental)


def on_moved(fact: PaymentRefunded | PaymentFailed) -> None:
    """Given back: a credit note. Not to be had: what was paid of it has its receipt all the same."""
    _bring(fact.rental)


def on_settled(fact: RentalSettled) -> None:
    """The last look: what was taken is documented, whatever still moves."""
    _bring(fact.rental, at_last=True)


@transactional
def _bring(rental_id: str, *, told: bool = False, at_last: bool = False) -> None:
    """Tell of the receipt, once and only of a rental that took place; issue the documents that are missing, last of all."""
    car, rental = access.locked(rental_id)
    if rental.stands not in OVER:
        return
    paid = told or hold.standing(rental_id) == "captured"
    if paid and rental.stands in TOOK_PLACE and rental.receipt_told_at is None:
        rental.receipt_told_at = clock.now()
        facts.record(ReceiptReady(rental=rental.id))
    for part, money in document.missing(rental.id, at_last=at_last):
        document.issue(
            rental=rental.id,
            part=part,
            money=money,
            country=car.country,
            payload=_payload(car, rental, part, money),
        )


def _payload(car: Car, rental: Rental, part: str, money: Money) -> dict[str, Any]:
    """What the paper shows, as it is now: first names only, since driver and owner have the same paper."""
    driver = session.get_one(Person, rental.driver_id)
    return {
        "rental": rental.id,
        "car": f"{car.make} {car.model}",
        "plate": car.plate,
        "zone": car.time_zone,
        "driver": driver.first_name,
        "owner": _owner(car),
        "from": z(rental.started_at or rental.from_at),
        "to": z(rental.ended_at or rental.to_at),
        "km": ending.driven_km(rental),
        "lines": _lines(rental, part, money),
        "total": money.to_dict(),
        "shares": document.shares_of(rental.id, part, money),
    }


def _owner(car: Car) -> str:
    if car.owner_id is not None:
        return session.get_one(Person, car.owner_id).first_name
    assert car.community_id is not None
    return session.get_one(Community, car.community_id).name


def _lines(rental: Rental, part: str, money: Money) -> list[dict[str, Any]]:
    """The lines of the price, where they are what is documented; else the one reason for the amount."""
    price = rental.final_price
    if part == document.PRICE and price is not None and price["total"] == money.to_dict():
        lines: list[dict[str, Any]] = price["lines"]
        return lines
    if money.amount < 0:
        code = "given_back"
    elif part == document.REQUESTS:
        code = "charge_request"
    else:
        code = "difference" if rental.stands in TOOK_PLACE else "cancellation"
    return [{"code": code, "quantity": 1, "unit": "rental", "amount": money.to_dict()}]


def of(rental_id: str, person: str) -> dict[str, Any]:
    """The receipt, the same for driver and owner; NotFound until the rental is over, or cancelled at no cost."""
    rental = access.may_see(rental_id, person)
    issued = document.of(rental.id)
    if rental.stands in TOOK_PLACE and rental.final_price is not None:
        lines, total = rental.final_price["lines"], rental.final_price["total"]
    elif issued:
        lines = issued[0].payload["lines"]
        total = issued[0].money.to_dict()
    else:
        raise NotFound("There is a receipt once the rental has ended.")
    car, driver = session.get_one(Car, rental.car_id), session.get_one(Person, rental.driver_id)
    bound, paid = cover.of(rental.id), hold.of(rental.id)
    return {
        "rental": rental.id,
        "car": f"{car.make} {car.model}",
        "plate": car.plate,
        "driver": driver.first_name,
        "from_at": rental.started_at,
        "to_at": rental.ended_at or rental.to_at,
        "km": ending.driven_km(rental),
        "lines": lines,
        "total": total,
        "shares": _shares(rental, issued),
        "paid": {"amount": paid.captured if paid else 0, "currency": total["currency"]},
        "payment_state": hold.standing(rental.id),
        "charged_after": [
            {"payment": row.id, "amount": row.money(row.owed).to_dict(), "state": row.state}
            for row in hold.all_of(rental.id)
            if row.purpose in APART and row.owed
        ],
        "covered_minutes": bound.covered_minutes if bound else None,
        "charged_minutes": bound.charged_minutes if bound else None,
        "end_evidence": rental.end_evidence,
        "documents": [_document(one, issued) for one in issued],
    }


def _shares(rental: Rental, issued: Sequence[Document]) -> dict[str, Any] | None:
    """As the first receipt says; before there is one, as the final price does."""
    if issued:
        said: dict[str, Any] | None = issued[0].payload.get("shares")
        return said
    return represent.shares(rental.final_price, rental.shares) if rental.final_price else None


def unissued(rental_id: str, shown: dict[str, Any]) -> dict[str, Any]:
    """What a paper shows of a rental that has no document: free, or not paid yet."""
    rental = session.get_one(Rental, rental_id)
    total = Money.from_dict(shown["total"])
    payload = _payload(session.get_one(Car, rental.car_id), rental, document.PRICE, total)
    return {**payload, "lines": shown["lines"], "shares": shown["shares"]}


def _document(one: Document, issued: Sequence[Document]) -> dict[str, Any]:
    numbers = {other.id: other.number for other in issued}
    return {
        "id": one.id,
        "number": one.number,
        "kind": one.kind,
        "about": one.part,
        "corrects": numbers[one.corrects_id] if one.corrects_id else None,
        "total": one.money.to_dict(),
        "issued_at": one.issued_at,
        "hash": one.hash.hex(),
    }
