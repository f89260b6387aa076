"""What an owner is owed by the books, and what of each payment was sent to them: reckoned anew each time, nothing is kept.

Who acts by it holds the payment, its transfer and the owner's account, so that no two reckon at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from app.billing import advance, commands, ledger
from app.billing.models import LedgerEntry, Payment, PaymentCommand, Posting
from app.billing.payout_models import Transfer
from app.billing.states import DECIDED
from app.kit.db import session
from payments.money import Money
from payments.split import split_refund


@dataclass(frozen=True, slots=True)
class Sent:
    """One of the provider's transfers of a payment: what was sent with it, and what came back or is asked back."""

    external_id: str
    amount: int
    back: int
    asked_back: int

    @property
    def left(self) -> int:
        return self.amount - self.back - self.asked_back


def sent(payment: str) -> Sequence[Sent]:
    """Every transfer of a payment that was made, the newest first."""
    made = select(PaymentCommand).where(
        PaymentCommand.payment_id == payment,
        PaymentCommand.kind == "transfer",
        PaymentCommand.state == commands.DONE,
    )
    return [
        Sent(
            row.object_id or "",
            row.amount or 0,
            _back(payment, row.object_id, commands.DONE),
            _back(payment, row.object_id, commands.OPEN),
        )
        for row in session.scalars(made.order_by(PaymentCommand.id.desc()))
    ]


def _back(payment: str, transfer: str | None, state: str) -> int:
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.payment_id == payment,
        PaymentCommand.kind == "reverse",
        PaymentCommand.target == transfer,
        PaymentCommand.state == state,
    )
    return int(session.scalar(total) or 0)


def to_send(payment: Payment, row: Transfer) -> Money:
    """What can be sent to the payee with this payment: what they are owed, and no more than its charge has."""
    if not ledger.remaining(payment).owner:
        return row.money(0)
    left = advance.remainder(payment)
    away = sum(one.amount - one.back for one in sent(payment.id))
    return row.money(max(0, min(to_payee(row).amount - _promised(payment, left), left - away)))


def _promised(payment: Payment, left: int) -> int:
    """What the owner will give of refunds that are promised and not given yet: it is not sent, to be asked back."""
    promised = payment.money(payment.captured - payment.refunded - left)
    return split_refund(promised, ledger.remaining(payment)).owner.amount if promised else 0


def too_much(payment: Payment, row: Transfer) -> int:
    """What the payee got too much of this payment, as far as they do not earn it with others."""
    asked = sum(one.asked_back for one in sent(payment.id))
    return min(_posted(row, LedgerEntry.payment_id == payment.id) - asked, -to_payee(row).amount)


def to_payee(row: Transfer) -> Money:
    """What the payee of a transfer is owed with it by the books: below zero they owe it.

    All their payments that are decided count, so that a debt from one is set off against the next; what is on its way,
    either way, counts as arrived.
    """
    mine = select(Transfer.payment_id).where(
        Transfer.payee == row.payee,
        Transfer.currency == row.currency,
        Transfer.state.in_([one.value for one in DECIDED]) | (Transfer.id == row.id),
    )
    posted = _posted(row, LedgerEntry.payment_id.in_(mine))
    return row.money(-posted - _under_way("transfer", mine) + _under_way("reverse", mine))


def _posted(row: Transfer, of: Any) -> int:
    total = (
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            Posting.account == ledger.OWNER_PAYABLE,
            Posting.subject == row.payee,
            Posting.currency == row.currency,
            of,
        )
    )
    return int(session.scalar(total) or 0)


def _under_way(kind: str, payments: Select[Any]) -> int:
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.kind == kind,
        PaymentCommand.state == commands.OPEN,
        PaymentCommand.payment_id.in_(payments),
    )
    return int(session.scalar(total) or 0)


def unsent_of_settled() -> Sequence[str]:
    """Settled payments of which their owner has earned what was not sent, where no debt from others stands against it."""
    total = func.sum(Posting.amount)
    posted = (
        select(Transfer.payee, Transfer.currency, Transfer.payment_id, total.label("total"))
        .join(LedgerEntry, LedgerEntry.payment_id == Transfer.payment_id)
        .join(Posting, Posting.entry_id == LedgerEntry.id)
        .where(
            Posting.account == ledger.OWNER_PAYABLE,
            Posting.subject == Transfer.payee,
            Posting.currency == Transfer.currency,
            Transfer.state.in_([one.value for one in DECIDED]),
        )
        .group_by(Transfer.payee, Transfer.currency, Transfer.payment_id)
        .cte("posted")
    )
    owed = (
        select(posted.c.payee, posted.c.currency)
        .group_by(posted.c.payee, posted.c.currency)
        .having(func.sum(posted.c.total) < 0)
        .subquery()
    )
    found = (
        select(posted.c.payment_id)
        .join(owed, (owed.c.payee == posted.c.payee) & (owed.c.currency == posted.c.currency))
        .where(posted.c.total < 0)
        .order_by(posted.c.payment_id)
        .limit(500)
    )
    return session.scalars(found).all()
