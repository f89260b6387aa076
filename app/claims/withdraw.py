"""The owner takes a charge request back; nothing was charged."""

from app.billing import deposit
from app.claims import access
from app.claims.charge_rules import Kind, Step, after
from app.claims.models import ChargeRequest
from app.facts import ChargeRequestWithdrawn
from app.kit import clock, deadlines, facts
from app.kit.db import transactional


@transactional
def withdraw(person: str, charge_request: str) -> ChargeRequest:
    """Raises NotFound, NotAllowed, StepNotAllowed."""
    row, role = access.lock_as(charge_request, person)
    row.state = after(row.stands, Step.WITHDRAW, role).value
    row.charge_not_before, row.closed_at = None, clock.now()
    deadlines.drop(row.id)
    if row.about is Kind.DAMAGE:
        deposit.hearing_over(row.rental_id)
    facts.record(ChargeRequestWithdrawn(row.id, row.rental_id, person, row.amount, row.currency))
    return row
