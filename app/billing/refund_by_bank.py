"""A refund that a card's bank does not take is paid from our own account: the books say so, and nothing waits any more."""

from sqlalchemy import func, select

from app import facts
from app.billing import advance, bank, commands, dispute_of, ledger, promises, refused_refund, transfer
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event
from app.kit.db import session, transactional
from app.kit.errors import NotFound, StepNotAllowed
from app.kit.facts import record
from app.kit.locales import decimal_of
from payments.money import Money


@transactional
def refund_by_bank(payment: str, money: Money, reference: str) -> bool:
    """All that is stuck of a payment's refunds was paid by hand; False when the books say so already.

    Raises NotFound, StepNotAllowed, AlreadyExists for something else under the same reference.
    """
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if not bank.is_new_refund(row, money, reference):
        return False
    waiting = refused_refund.stuck(row)
    promised = row.money(sum(one.amount or 0 for one in waiting))
    if dispute_of.holds(payment) or not promised or money != promised:
        detail = (
            f"{decimal_of(promised.amount, promised.currency)} {promised.currency} of its refunds are stuck."
        )
        raise StepNotAllowed(detail, state=row.state, steps=[])
    for one in waiting:
        commands.settle(one, commands.BY_BANK, error=one.error)
    row.refunded += money.amount
    seq = record(facts.PaymentRefunded(row.id, row.rental_id, money.amount, money.currency))
    ledger.refunded_by_bank(row, money, bank.named(reference), seq)
    promises.in_the_books(row)
    advance.befalls(row, Event.REFUND_OVER)
    transfer.level(row)
    return True


def given(payment: str) -> int:
    """So much of what was given back of a payment never went through the provider."""
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.payment_id == payment,
        PaymentCommand.kind == "refund",
        PaymentCommand.state == commands.BY_BANK,
    )
    return int(session.scalar(total) or 0)
