"""Trying again what waits for the driver of a rental, perhaps with another card, or for an operator."""

from app.billing import hold, refused_refund, refused_step
from app.billing.models import Payment
from app.kit.db import session, transactional
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


@transactional
def as_operator(payment: str, by: str) -> Payment:
    """One payment: what the provider refused time and again comes first. Raises NotFound, StepNotAllowed, CardNeeded."""
    return stuck(payment) or hold.retry(payment, None, by)


@transactional
def stuck(payment: str) -> Payment | None:
    """What the provider refused time and again of a payment, once more; None where nothing was."""
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if row is None:
        return None
    tried = [refused_step.try_again(row), refused_refund.try_again(row)]
    return row if any(tried) else None
