"""The money of a rental whose car failed goes with its driver to the rental of another car: nothing is held anew."""

import structlog
from sqlalchemy import select

from app.billing import commands
from app.billing.models import Payment, PaymentCommand
from app.kit.db import session, transactional
from payments.gateway import PaymentsRefused

log = structlog.get_logger(__name__)


def to(rental: str, other: str, payee: str) -> None:
    """Every payment belongs to the other rental from now on, and `payee` will earn by it. Joins the transaction.

    Only before the unlock: nothing is captured yet, so no posting and no transfer has named who earns. Where the provider
    was asked already, it shows the other rental a moment later; what it makes of the payment is found by the intent alone.
    """
    rows = select(Payment).where(Payment.rental_id == rental).order_by(Payment.id).with_for_update()
    for row in session.scalars(rows.execution_options(populate_existing=True)).all():
        assert not row.captured, f"{row.id} is captured before its rental began"
        row.rental_id, row.payee = other, payee
        if row.attempt_id is not None:
            commands.stand_for(row)


def show(command: str, payment: str, intent: str, rental: str) -> None:
    """Carry such a command out: the intent, if there is one, shows the rental. A refusal is no harm to the money."""
    error = None
    if intent:
        try:
            commands.door().stand_for(intent, rental)
        except PaymentsRefused as no:
            error = no.code or str(no)
            log.warning("the provider shows another rental", payment=payment, error=error)
    _shown(command, payment, error)


@transactional
def _shown(command: str, payment: str, error: str | None) -> None:
    commands.lock(payment)
    found = session.get_one(PaymentCommand, command, populate_existing=True)
    if found.state == commands.OPEN:
        commands.settle(found, commands.FAILED if error else commands.DONE, error=error)
