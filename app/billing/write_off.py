"""Giving up arrears: nothing is tried any more, and the driver stays barred until they pay or an operator lifts it."""

from app import facts
from app.billing import advance, ledger
from app.billing.models import Payment
from app.billing.state_table import Event
from app.billing.states import OWING, State
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.kit.errors import NotFound, StepNotAllowed
from app.kit.facts import record


@transactional
def write_off(payment: str) -> Payment:
    """Give up what a driver owes. Paying stays possible, and undoes it. Raises NotFound, StepNotAllowed."""
    row = _locked(payment)
    if row.state not in OWING or not row.owed:
        raise StepNotAllowed("Only arrears can be written off.", state=row.state, steps=[])
    deadlines.drop(row.id)
    advance.drop_attempt(row)
    row.action_sealed = None
    if row.written_off_at is not None:  # it was tried once more, in vain: the books have given it up already
        advance.befalls(row, Event.WRITE_OFF)
        return row
    ledger.claimed(row, row.owed, "arrears")  # asked to confirm at the first try, it was never called arrears
    row.written_off_at = clock.now()
    advance.befalls(row, Event.WRITE_OFF)
    record(facts.PaymentWrittenOff(row.id, row.rental_id, row.owed, row.currency))
    return row


@transactional
def lift_bar(payment: str) -> Payment:
    """The driver may rent at a price again although it was never paid. Raises NotFound, StepNotAllowed."""
    row = _locked(payment)
    if row.state != State.WRITTEN_OFF:
        raise StepNotAllowed("Only of what is written off can the bar be lifted.", state=row.state, steps=[])
    if row.bar_lifted_at is None:
        row.bar_lifted_at = clock.now()
        record(facts.PaymentBarLifted(row.id, row.rental_id))
    return row


def _locked(payment: str) -> Payment:
    found = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found
