"""What drivers were promised back and were not given yet, in the books: from the asking until it is given or given up."""

from sqlalchemy import func, select

from app.billing import commands, ledger
from app.billing.models import Payment, PaymentCommand
from app.kit.db import session


def of(payment: Payment) -> int:
    """So much of it was promised: asked for, or waiting for its next try or for an operator."""
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.payment_id == payment.id,
        PaymentCommand.kind == "refund",
        PaymentCommand.state.in_(commands.PROMISED),
    )
    return int(session.scalar(total) or 0)


def in_the_books(payment: Payment) -> None:
    """Bring what the books say to what is promised. The payment is locked."""
    session.flush()
    ledger.promised(payment, of(payment))
