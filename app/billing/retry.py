"""Trying again what waits for the driver of a rental, perhaps with another card."""

from app.billing import hold
from app.billing.models import Payment
from app.kit.db import transactional
from app.kit.errors import StepNotAllowed


@transactional
def retry(rental: str, card: str | None, by: str) -> Payment:
    """Rent and deposit mostly fail together, by the same card: what is to be held is tried together, else the first that
    is owed. Returns the first. Raises StepNotAllowed, CardNeeded.
    """
    waiting = [row for row in hold.all_of(rental) if row.state in hold.RETRYABLE]
    if not waiting:
        raise StepNotAllowed("No payment waits for you.", state=hold.standing(rental), steps=[])
    to_hold = [row.id for row in waiting if row.owed is None]
    first, *others = to_hold or [waiting[0].id]
    tried = hold.retry(first, card, by)
    for one in others:
        hold.retry(one, card, by)
    return tried
