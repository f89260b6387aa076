"""The rent of a rental that cannot end while its bank still holds it: taken at the pickup, evened out at the end."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.billing import advance
from app.billing.advance import Ask
from app.billing.models import Payment
from app.billing.state_table import Event
from app.billing.states import State
from app.kit.db import session, transactional
from payments.money import Money

MARGIN = timedelta(hours=24)
"""A hold that ends so soon after the planned end is no hold for a driver who is late: it is renewed 12 hours before."""


def outlasts(ends_at: datetime, capture_before: datetime | None) -> bool:
    """Whether a rental goes on for longer than its bank holds the money, or nearly so."""
    return capture_before is not None and ends_at + MARGIN > capture_before


@transactional
def picked_up(rental: str, ends_at: datetime, price: Money) -> None:
    """The car is out. Of a long rental the price is taken, the allowance beyond it is freed; what it comes to cost is
    known at its end. What is held besides, a deposit or an extension, is renewed while the rental goes on; so is the
    rent of one that is to cost nothing, or too little to be taken.
    """
    found = select(Payment).where(Payment.rental_id == rental, Payment.purpose == "rent").with_for_update()
    row = session.scalar(found.execution_options(populate_existing=True))
    if not price or price.is_too_little:
        return
    if row is not None and row.state == State.HELD and outlasts(ends_at, row.capture_before):
        advance.befalls(row, Event.PICKED_UP, Ask(amount=price.amount))
