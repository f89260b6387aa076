"""Paying owners their share: after a waiting period, of what the books say, less what they owe; frozen while disputed.

What they earn again later is sent again, with the same payment.

Rows are locked in this order: payment, transfer, the owner's account. The account's lock makes transfers to one owner come
one after the other, so that a debt is set off once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import account_of, commands, dispute_of, ledger, owed
from app.billing.account_of import AnyAccount
from app.billing.models import Payment, Posting
from app.billing.payout_models import Transfer
from app.billing.states import DECIDED, TAKEN, TransferState
from app.billing.transfer_table import TransferEvent, follow
from app.kit import clock, deadlines
from app.kit.db import new_id, session, transactional
from app.kit.facts import record
from app.people.models import Person
from payments.money import Money
from payments.payouts import AccountState

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
        befalls(row, TransferEvent.DISPUTED)
        return
    account = _account(row.payee)
    money = owed.to_send(payment, row)
    if not money:
        befalls(row, TransferEvent.NOTHING_OWED)
        level(payment)  # while it waited more may have been given back than was sent before
    elif account is None or account.state != AccountState.ENABLED or account.external_id is None:
        _blocked(payment, row)
    else:
        assert payment.charge_id is not None  # the provider takes a transfer out of it
        befalls(row, TransferEvent.SEND)
        params = {"account": account.external_id}
        commands.to_owner(payment, "transfer", money, payment.charge_id, params)


def _blocked(payment: Payment, row: Transfer) -> None:
    """Earned, and nowhere to pay it: it waits, and its owner is told once."""
    befalls(row, TransferEvent.NOWHERE_TO_PAY)
    if row.told_blocked_at is None:
        row.told_blocked_at = clock.now()
        share = ledger.remaining(payment).owner
        record(facts.PayoutBlocked(row.payee, payment.id, row.rental_id, share.amount, share.currency))


def level(payment: Payment) -> None:
    """After a refund or a dispute: what its owner was paid too much is taken back, what they earned again is sent.

    The payment is locked.
    """
    session.flush()
    row = _locked(payment.id)
    if row is None or row.state != TransferState.SETTLED:
        return
    _account(row.payee)
    back = owed.too_much(payment, row)
    if back > 0:
        _take_back(payment, row, back)
    elif owed.to_send(payment, row) and not dispute_of.holds(payment.id):
        befalls(row, TransferEvent.EARNED_AGAIN)
        deadlines.at("transfer", row.id, clock.now())


def _take_back(payment: Payment, row: Transfer, back: int) -> None:
    """That much, or what of its transfers is left to be taken."""
    for one in owed.sent(payment.id):
        part = min(back, one.left)
        if part > 0:
            commands.to_owner(payment, "reverse", row.money(part), one.external_id, {})
            back -= part


def level_again() -> Sequence[str]:
    """Send what owners have earned again and nothing else would send. Which payments it waits with."""
    return [payment for payment in _unsent() if _is_sent_again(payment)]


@transactional
def _unsent() -> Sequence[str]:
    return owed.unsent_of_settled()


@transactional
def _is_sent_again(payment: str) -> bool:
    level(commands.lock(payment))
    row = of(payment)
    return row is not None and row.state == TransferState.WAITING


def freeze(payment: Payment) -> None:
    """A dispute: nothing of it is paid out that the provider was not asked for yet. The payment is locked."""
    row = _locked(payment.id)
    if row is None:
        return
    for command in commands.opened(payment.id, "transfer"):
        if not command.tries:
            commands.settle(command, commands.FAILED, error="disputed")
            befalls(row, TransferEvent.STOPPED)
    if befalls(row, TransferEvent.DISPUTED):
        deadlines.drop(row.id, "transfer")


def thaw(payment: Payment) -> None:
    """The dispute is decided: what is still the owner's is paid now. The payment is locked."""
    row = _locked(payment.id)
    if row is not None and befalls(row, TransferEvent.UNDISPUTED):
        deadlines.at("transfer", row.id, max(clock.now(), row.due_at))


def resume(payee: str) -> None:
    """The owner can be paid from now on: everything that waited is looked at again."""
    for one in session.scalars(
        select(Transfer.id).where(Transfer.payee == payee, Transfer.state == TransferState.PAYABLE_BLOCKED)
    ):
        deadlines.at("transfer", one, clock.now())


def befalls(row: Transfer, event: TransferEvent) -> bool:
    """Move it by the table, and reckon what was sent of its payment and came back; False when nothing follows."""
    state = follow(TransferState(row.state), event)
    if state is not None:
        row.state, row.changed_at = state, clock.now()
        count(row)
    return state is not None


def count(row: Transfer) -> None:
    """What was sent of its payment, and came back."""
    session.flush()
    made = owed.sent(row.payment_id)
    row.amount, row.reversed = sum(one.amount for one in made), sum(one.back for one in made)


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
