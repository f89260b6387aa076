"""An owner asks a driver to pay after a rental; the driver is heard before anything is charged."""

from typing import Any

from app.billing import deposit
from app.cars import custody
from app.cars.add import currency_of
from app.cars.models import Car
from app.claims import access, photos
from app.claims.charge_rules import (
    ANSWER_WITHIN,
    DOCUMENTED,
    PER_RENTAL,
    Kind,
    State,
    cap_of,
    charge_not_before,
    made_until,
)
from app.claims.models import CHR, ChargeRequest
from app.facts import ChargeRequested
from app.kit import clock, deadlines, facts
from app.kit.clock import z
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, OutsideRules, StepNotAllowed, Validation
from app.rentals import access as rentals
from app.rentals import book
from app.rentals.lifecycle import Role
from app.rentals.lifecycle import State as RentalState
from app.rentals.models import Rental
from payments.money import LEAST


@transactional
def charge_request(person: str, rental_id: str, body: dict[str, Any]) -> ChargeRequest:
    """Ask for an amount in minor units, told to the driver with 72 h to answer.

    Raises NotFound, NotAllowed, StepNotAllowed before the end, OutsideRules too late or above the cap, AlreadyExists for
    a document that was asked for, Validation.
    """
    car, rental, _ = rentals.locked_as(rental_id, person, Role.OWNER)
    kind, now = Kind(body["kind"]), clock.now()
    document = body.get("document")
    _refuse(car, rental, body)
    if kind is Kind.DAMAGE:
        deposit.hearing_begins(rental.id)
    row = ChargeRequest(
        id=new_id(CHR),
        rental_id=rental.id,
        driver_id=rental.driver_id,
        made_by=person,
        payee=book.payee(car),
        kind=kind.value,
        currency=body["amount"]["currency"],
        amount=body["amount"]["amount"],
        text=body["text"],
        occurred_at=body["occurred_at"],
        document=document["reference"] if document else None,
        document_amount=document["amount"]["amount"] if document else None,
        photos=list(dict.fromkeys(body.get("photos") or ())),
        answer_photos=[],
        state=State.OPEN.value,
        made_at=now,
        answer_by=now + ANSWER_WITHIN,
    )
    row.charge_not_before = charge_not_before(State.OPEN, answer_by=row.answer_by, at=now)
    session.add(row)
    session.flush()
    deadlines.at("charge_answer", row.id, row.answer_by)
    facts.record(
        ChargeRequested(row.id, rental.id, person, row.kind, row.amount, row.currency, row.answer_by)
    )
    return row


def _refuse(car: Car, rental: Rental, body: dict[str, Any]) -> None:
    kind, document = Kind(body["kind"]), body.get("document")
    _refuse_late(rental, kind)
    _refuse_wrong(car, rental, body, document)
    made = access.of_rental(rental.id)
    if len(made) >= PER_RENTAL:
        raise OutsideRules(f"At most {PER_RENTAL} for one rental.", rule="per_rental", limit=PER_RENTAL)
    same = [row for row in made if row.about is kind and row.stands is not State.WITHDRAWN]
    if document and any(row.document == document["reference"] for row in same):
        raise AlreadyExists("There is a charge request for this document already.")
    _refuse_above_cap(rental, kind, same, body["amount"]["amount"], document)


def _refuse_late(rental: Rental, kind: Kind) -> None:
    if rental.stands not in (RentalState.ENDED, RentalState.SETTLED) or rental.ended_at is None:
        raise StepNotAllowed(
            "A charge request follows a rental that has ended.", state=rental.state, steps=[]
        )
    until = made_until(kind, rental.ended_at)
    if clock.now() >= until:
        days = (until - rental.ended_at).days
        raise OutsideRules(
            f"Within {days} days after the rental: that was until {z(until)}.",
            rule="made_within_days",
            limit=days,
        )


def _refuse_wrong(car: Car, rental: Rental, body: dict[str, Any], document: dict[str, Any] | None) -> None:
    """What the body says must be possible: photos that exist, the rental's currency, an instant of its custody."""
    errors = photos.unknown(rental.id, body.get("photos") or ())
    currency = rental.terms.get("currency") or currency_of(car.country)
    amounts = [("/amount", body["amount"]), *([("/document/amount", document["amount"])] if document else [])]
    errors += [
        {"pointer": f"{place}/currency", "code": "invalid", "detail": f"This rental is in {currency}."}
        for place, money in amounts
        if money["currency"] != currency
    ]
    least = LEAST[currency]
    if body["amount"]["amount"] < least:
        detail = f"At least {least}: a card cannot be asked for less."
        errors.append({"pointer": "/amount/amount", "code": "invalid", "detail": detail})
    if document and document["amount"]["amount"] < 1:
        errors.append({"pointer": "/document/amount/amount", "code": "invalid", "detail": "At least 1."})
    if document and Kind(body["kind"]) not in DOCUMENTED:
        errors.append({"pointer": "/document", "code": "invalid", "detail": "Of a fine or toll alone."})
    held = custody.at(car.no, body["occurred_at"])
    if held is None or held.rental_id != rental.id:
        detail = "The driver did not hold the car then."
        if rental.started_at and rental.ended_at:
            detail += f" It was theirs from {z(rental.started_at)} to {z(rental.ended_at)}."
        errors.append({"pointer": "/occurred_at", "code": "invalid", "detail": detail})
    if errors:
        raise Validation(errors=errors)


def _refuse_above_cap(
    rental: Rental, kind: Kind, same: list[ChargeRequest], amount: int, document: dict[str, Any] | None
) -> None:
    """`same`: the requests of this kind, to be counted where the cap is for all of them together."""
    cap = cap_of(kind, rental.terms, document["amount"]["amount"] if document else None)
    left = max(0, cap.amount - (sum(row.owed for row in same) if cap.together else 0))
    if amount > left:
        raise OutsideRules(
            f"At most {left} minor units may still be asked for {kind}: the cap is {cap.amount} ({cap.rule}).",
            rule=cap.rule,
            limit=left,
        )
