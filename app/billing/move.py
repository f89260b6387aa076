"""The money of a rental whose car failed goes with its driver to the rental of another car: nothing is held anew."""

from sqlalchemy import select

from app.billing.models import Payment
from app.kit.db import session


def to(rental: str, other: str, payee: str) -> None:
    """Every payment belongs to the other rental from now on, and `payee` will earn by it. Joins the transaction.

    Only before the unlock: nothing is captured yet, so no posting and no transfer has named who earns.
    """
    rows = select(Payment).where(Payment.rental_id == rental).order_by(Payment.id).with_for_update()
    for row in session.scalars(rows.execution_options(populate_existing=True)):
        assert not row.captured, f"{row.id} is captured before its rental began"
        row.rental_id, row.payee = other, payee
