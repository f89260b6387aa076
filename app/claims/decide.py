"""An operator decides a contested charge request with a reason; an appeal is decided by another one, for good."""

from app.claims import access, close
from app.claims.charge_rules import APPEAL_WITHIN, State, Step, after, bounds, charge_not_before
from app.claims.models import ChargeRequest
from app.facts import ChargeRequestDecided
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.kit.errors import NotAllowed, Validation
from app.rentals import access as rentals
from app.rentals.lifecycle import Role
from app.rentals.models import Rental
from payments.money import LEAST, Money


@transactional
def decide(charge_request: str, amount: Money, *, by: str, reason: str) -> ChargeRequest:
    """How much is owed, from nothing to what was asked. Raises NotFound, NotAllowed, StepNotAllowed, Validation."""
    row = access.lock(charge_request)
    following = after(row.stands, Step.DECIDE, Role.OPERATOR)
    _refuse_partial(row, by)
    _refuse_amount(row, amount)
    now = clock.now()
    if following is State.CLOSED:
        row.final_amount, row.final_reason, row.final_by, row.final_at = amount.amount, reason, by, now
        facts.record(_decided(row, final=True))
        close.close(row, Step.DECIDE, Role.OPERATOR)
        return row
    row.decided_amount, row.decided_reason, row.decided_by, row.decided_at = amount.amount, reason, by, now
    row.state = following.value
    row.charge_not_before = charge_not_before(following, answer_by=row.answer_by, at=now)
    deadlines.drop(row.id, "charge_answer")
    deadlines.at("charge_appeal", row.id, now + APPEAL_WITHIN)
    facts.record(_decided(row, final=False))
    return row


def _decided(row: ChargeRequest, *, final: bool) -> ChargeRequestDecided:
    return ChargeRequestDecided(
        charge_request=row.id,
        rental=row.rental_id,
        by=Role.OPERATOR.value,
        amount=row.owed,
        currency=row.currency,
        final=final,
        appeal_by=None if final else row.charge_not_before,
    )


def _refuse_partial(row: ChargeRequest, by: str) -> None:
    """Nobody decides in a matter of their own, nor on an appeal against themselves."""
    if rentals.role_of(session.get_one(Rental, row.rental_id), by) is not None:
        raise NotAllowed("You are of this rental: another operator decides.")
    if row.decided_by == by:
        raise NotAllowed("The appeal is against your decision: another operator decides.")


def _refuse_amount(row: ChargeRequest, amount: Money) -> None:
    if amount.currency != row.currency:
        detail = f"It was asked in {row.currency}."
        raise Validation(errors=[{"pointer": "/amount/currency", "code": "invalid", "detail": detail}])
    least, most = bounds(row.amount, row.decided_amount, Role(row.appealed_by) if row.appealed_by else None)
    if not least <= amount.amount <= most:
        detail = f"From {least} to {most}: never above what was asked, and nobody is worse off by an appeal."
        raise Validation(errors=[{"pointer": "/amount/amount", "code": "invalid", "detail": detail}])
    if amount.is_too_little:
        detail = f"Nothing, or at least {LEAST[amount.currency]}: a card cannot be asked for less."
        raise Validation(errors=[{"pointer": "/amount/amount", "code": "invalid", "detail": detail}])
