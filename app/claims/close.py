"""The end of a charge request: silence sends it to an operator, what is settled is charged, once."""

from app.billing import deposit
from app.billing.charge_extra import charge_extra
from app.claims import access
from app.claims.charge_rules import Kind, State, Step, after, charge_not_before
from app.claims.models import ChargeRequest
from app.facts import ChargeRequestClosed, ChargeRequestUnanswered
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.rentals.lifecycle import Role
from app.rentals.models import Rental
from payments.money import Money


@transactional
def answer_window_over(charge_request: str) -> None:
    """Deadline "charge_answer": what was accepted is charged; silence charges nothing, an operator decides."""
    row = access.lock(charge_request)
    if row.stands is State.OPEN:
        row.state = after(row.stands, Step.UNANSWERED, Role.CLOCK).value
        row.charge_not_before = None
        facts.record(ChargeRequestUnanswered(row.id, row.rental_id, row.amount, row.currency))
    elif row.stands is State.ACCEPTED:
        _close_in_time(row)


@transactional
def appeal_window_over(charge_request: str) -> None:
    """Deadline "charge_appeal": nobody appealed, the decision stands."""
    row = access.lock(charge_request)
    if row.stands is State.DECIDED:
        _close_in_time(row)


def _close_in_time(row: ChargeRequest) -> None:
    assert row.charge_not_before is not None
    if clock.now() >= row.charge_not_before:
        close(row, Step.CLOSE, Role.CLOCK)


def close(row: ChargeRequest, step: Step, role: Role) -> None:
    """Closed for good, and what is owed is taken. The row is locked; this is the only way to the money."""
    now = clock.now()
    row.state = after(row.stands, step, role).value
    row.closed_at = row.charge_not_before = charge_not_before(State.CLOSED, answer_by=row.answer_by, at=now)
    deadlines.drop(row.id)
    if row.owed:
        _take(row)
    if row.about is Kind.DAMAGE:
        deposit.hearing_over(row.rental_id)
    facts.record(ChargeRequestClosed(row.id, row.rental_id, row.owed, row.currency))


def _take(row: ChargeRequest) -> None:
    """Damage is taken of the deposit as far as that is held and goes; the rest, and all else, the card is charged for."""
    left = row.owed
    if row.about is Kind.DAMAGE:
        row.deposit_id, left = deposit.take(row.rental_id, row.owed)
    if left:
        rental = session.get_one(Rental, row.rental_id)
        row.payment_id = charge_extra(
            rental=rental.id,
            driver=row.driver_id,
            payee=row.payee,
            community=rental.community_id,
            amount=Money.from_dict({"amount": left, "currency": row.currency}),
            starts_at=rental.from_at,
        )
