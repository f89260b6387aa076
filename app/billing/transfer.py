"""Paying owners their share: after a waiting period, of what the books say, less what they owe; frozen while disputed.

Rows are locked in this order: payment, transfer, the owner's account. The account's lock makes transfers to one owner come
one after the other, so that a debt is set off once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import account_of, advance, commands, dispute_of, ledger
from app.billing.account_of import AnyAccount
from app.billing.models import LedgerEntry, Payment, PaymentCommand, Posting
from app.billing.payout_models import Transfer
from app.billing.states import DECIDED, TAKEN, TransferState
from app.kit import clock, deadlines
from app.kit.db import new_id, session, transactional
from app.kit.facts import record
from app.people.models import Person
from payments.money import Money
from payments.payouts import AccountState
from payments.split import split_refund

WAIT_HOURS: Mapping[str, int] = MappingProxyType(
    {
        "AT": 48,
        "BE": 48,
        "CH": 24,
        "DE": 48,
        "ES": 72,
        "FR": 48,
        "GB": 24,
        "IT": 72,
        "NL": 24,
        "PT": 72,
    }
)
"""Hours from the driver's payment to the owner's, by the owner's country. A figure of the product: time for a complaint."""
LONGEST_HOURS = 72
AGAIN = timedelta(days=1)
"""When a transfer that our own balance did not cover is tried again."""


def on_paid(fact: facts.PaymentSucceeded) -> None:
    """PaymentSucceeded: the owner's share is theirs after the waiting period."""
    plan(fact.payment)


@transactional
def plan(payment: str) -> None:
    """Plan the transfer of a captured payment's share, once, and not before it is known what the rental costs."""
    row = commands.lock(payment)
    if row.owed is None:
        return
    due = clock.now() + timedelta(hours=_hours(row.payee))
    made = session.execute(
        insert(Transfer)
        .values(
            id=new_id("trf"),
            payment_id=row.id,
            rental_id=row.rental_id,
            payee=row.payee,
            state=TransferState.WAITING,
            currency=row.currency,
            amount=0,
            reversed=0,
            due_at=due,
            changed_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Transfer.id)
    ).scalar()
    if made is not None:
        deadlines.at("transfer", made, due)


def _hours(payee: str) -> int:
    owner = session.get(Person, payee) if payee.startswith("per_") else None
    return WAIT_HOURS.get(owner.country, LONGEST_HOURS) if owner else LONGEST_HOURS


@transactional
def plan_forgotten() -> Sequence[str]:
    """Plan what was captured and has no transfer: payments from before there were any. Which."""
    rows = session.scalars(
        select(Payment.id)
        .outerjoin(Transfer, Transfer.payment_id == Payment.id)
        .where(Payment.state.in_([one.value for one in TAKEN]), Payment.captured > 0, Transfer.id.is_(None))
        .where(Payment.owed.is_not(None))
        .order_by(Payment.id)
        .limit(500)
    ).all()
    for payment in rows:
        plan(payment)
    return rows


@transactional
def due(ref: str) -> None:
    """Deadline "transfer": the waiting period is over, or what was in the way may be gone."""
    found = session.get(Transfer, ref)
    if found is None:
        return
    payment = commands.lock(found.payment_id)
    row = _locked(payment.id)
    if row is not None and row.state not in DECIDED:
        _decide(payment, row)


def _decide(payment: Payment, row: Transfer) -> None:
    if dispute_of.holds(payment.id):
        _move(row, TransferState.FROZEN)
        return
    account = _account(row.payee)
    left = advance.remainder(payment)
    due_now = owed_to(row).amount - _promised(payment, left)
    if due_now <= 0 or not ledger.remaining(payment).owner:
        _move(row, TransferState.SETTLED)
    elif account is None or account.state != AccountState.ENABLED or account.external_id is None:
        _blocked(payment, row)
    else:
        assert payment.charge_id is not None
        # no more than the charge has: the provider takes a transfer out of it
        row.amount = min(due_now, left)
        _move(row, TransferState.SETTLING)
        params = {"account": account.external_id}
        commands.to_owner(payment, "transfer", row.money(row.amount), payment.charge_id, params)


def _promised(payment: Payment, left: int) -> int:
    """What the owner will give of refunds that are promised and not given yet: it is not sent, to be asked back."""
    promised = payment.money(payment.captured - payment.refunded - left)
    return split_refund(promised, ledger.remaining(payment)).owner.amount if promised else 0


def _blocked(payment: Payment, row: Transfer) -> None:
    """Earned, and nowhere to pay it: it waits, and its owner is told once."""
    _move(row, TransferState.PAYABLE_BLOCKED)
    if row.told_blocked_at is None:
        row.told_blocked_at = clock.now()
        share = ledger.remaining(payment).owner
        record(facts.PayoutBlocked(row.payee, payment.id, row.rental_id, share.amount, share.currency))


def owed_to(row: Transfer) -> Money:
    """What the payee of a transfer is owed with it by the books: below zero they owe it.

    All their payments that are decided count, so that a debt from one is set off against the next; what is on its way,
    either way, counts as arrived.
    """
    mine = select(Transfer.payment_id).where(
        Transfer.payee == row.payee,
        Transfer.currency == row.currency,
        Transfer.state.in_([one.value for one in DECIDED]) | (Transfer.id == row.id),
    )
    posted = session.scalar(
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            Posting.account == ledger.OWNER_PAYABLE,
            Posting.subject == row.payee,
            Posting.currency == row.currency,
            LedgerEntry.payment_id.in_(mine),
        )
    )
    return row.money(-int(posted or 0) - _under_way("transfer", mine) + _under_way("reverse", mine))


def _under_way(kind: str, payments: Select[Any] | list[str]) -> int:
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.kind == kind,
        PaymentCommand.state == commands.OPEN,
        PaymentCommand.payment_id.in_(payments),
    )
    return int(session.scalar(total) or 0)


def level(payment: Payment) -> None:
    """After a refund or a lost dispute: what its owner was paid too much of it is taken back. The payment is locked."""
    session.flush()
    row = _locked(payment.id)
    if row is None or row.state != TransferState.SETTLED or row.external_id is None:
        return
    _account(row.payee)
    backwards = _under_way("reverse", [payment.id])
    too_much = -_earned_unpaid(payment, row).amount - backwards
    back = min(too_much, -owed_to(row).amount, row.amount - row.reversed - backwards)
    if back > 0:
        commands.to_owner(payment, "reverse", row.money(back), row.external_id, {})


def _earned_unpaid(payment: Payment, row: Transfer) -> Money:
    """What the owner still has to get of this one payment by the books; below zero they got too much."""
    posted = session.scalar(
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            Posting.account == ledger.OWNER_PAYABLE,
            Posting.subject == row.payee,
            LedgerEntry.payment_id == payment.id,
        )
    )
    return row.money(-int(posted or 0))


def freeze(payment: Payment) -> None:
    """A dispute: nothing of it is paid out that the provider was not asked for yet. The payment is locked."""
    row = _locked(payment.id)
    if row is None:
        return
    for command in commands.opened(payment.id, "transfer"):
        if not command.tries:
            commands.settle(command, commands.FAILED, error="disputed")
            put_off(row, TransferState.FROZEN)
    if row.state not in DECIDED:
        deadlines.drop(row.id, "transfer")
        _move(row, TransferState.FROZEN)


def thaw(payment: Payment) -> None:
    """The dispute is decided: what is still the owner's is paid now. The payment is locked."""
    row = _locked(payment.id)
    if row is not None and row.state == TransferState.FROZEN:
        _move(row, TransferState.WAITING)
        deadlines.at("transfer", row.id, max(clock.now(), row.due_at))


def resume(payee: str) -> None:
    """The owner can be paid from now on: everything that waited is looked at again."""
    for one in session.scalars(
        select(Transfer.id).where(Transfer.payee == payee, Transfer.state == TransferState.PAYABLE_BLOCKED)
    ):
        deadlines.at("transfer", one, clock.now())


def put_off(row: Transfer, state: TransferState) -> None:
    """It was not sent after all."""
    row.amount = 0
    _move(row, state)


def of(payment: str) -> Transfer | None:
    return session.scalar(select(Transfer).where(Transfer.payment_id == payment))


def of_payments(payments: Sequence[str]) -> Mapping[str, Transfer]:
    """The transfers of several payments, by payment."""
    rows = session.scalars(select(Transfer).where(Transfer.payment_id.in_(payments)))
    return {row.payment_id: row for row in rows}


def unsent(payee: str) -> list[Money]:
    """What the payee has earned and was not sent, by currency."""
    rows = session.execute(
        select(Posting.currency, func.sum(Posting.amount))
        .where(Posting.account == ledger.OWNER_PAYABLE, Posting.subject == payee)
        .group_by(Posting.currency)
        .order_by(Posting.currency)
    )
    found = [Money.from_dict({"amount": -int(total), "currency": currency}) for currency, total in rows]
    return [one for one in found if one.amount > 0]


def unsent_to(community: str) -> list[str]:
    """What a community has earned and was not sent, for who would end it: afterwards nobody could open its account."""
    return [f"earnings of {one.amount} {one.currency} in minor units" for one in unsent(community)]


def _locked(payment: str) -> Transfer | None:
    found = select(Transfer).where(Transfer.payment_id == payment).with_for_update()
    return session.scalar(found.execution_options(populate_existing=True))


def _account(payee: str) -> AnyAccount | None:
    """The payee's account, locked; None for who has none."""
    return account_of.payee(payee, lock=True)


def _move(row: Transfer, state: TransferState) -> None:
    row.state, row.changed_at = state, clock.now()
