"""Driver or owner does not agree with the decision: once, within 14 days, and another operator looks."""

from app.claims import access
from app.claims.charge_rules import Step, after
from app.claims.models import ChargeRequest
from app.facts import ChargeRequestAppealed
from app.kit import clock, deadlines, facts
from app.kit.db import transactional
from app.kit.errors import StepNotAllowed


@transactional
def appeal(person: str, charge_request: str, text: str | None) -> ChargeRequest:
    """Raises NotFound, NotAllowed, StepNotAllowed."""
    row, role = access.lock_as(charge_request, person)
    following, now = after(row.stands, Step.APPEAL, role), clock.now()
    if row.charge_not_before is not None and now >= row.charge_not_before:
        raise StepNotAllowed("The time to appeal is over.", state=row.state, steps=[])
    row.state, row.appealed_by, row.appeal, row.appealed_at = following.value, role.value, text, now
    row.charge_not_before = None
    deadlines.drop(row.id)
    facts.record(ChargeRequestAppealed(row.id, row.rental_id, role.value, row.owed, row.currency))
    return row
