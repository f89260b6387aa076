"""The nightly comparison: what lies at the provider beside our rows, object by object, and its balance beside the books.

A command that was asked and not answered yet is under way, not a difference. Nothing is mended here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.billing import commands, ledger, outcome, refund_by_bank
from app.billing import differences as differences_of
from app.billing.differences import Difference, PaymentDifference
from app.billing.models import LedgerEntry, Payment, PaymentCommand, Posting
from app.billing.payout_models import Dispute
from app.billing.states import DEPOSIT, TAKEN, State
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session, transactional
from payments.gateway import Intent, IntentState, Refund, RefundState
from payments.money import Money
from payments.payouts import Transfer as TheirTransfer

LOOK_BACK = timedelta(hours=72)
MARGIN = timedelta(minutes=10)
"""Clocks differ: what was made this close to the edge may be on either side of it."""
NEAR = timedelta(hours=24)
RENEWED_BY = timedelta(hours=11)
"""A hold whose rental is open is renewed 12 h before its end: an hour later it should have been."""


def differences(now: datetime) -> list[Difference]:
    """Everything young or open that is not the same on both sides. Outside any transaction."""
    since = now - LOOK_BACK
    found = [one for intent in commands.door().intents_since(since) for one in _intent(intent)]
    found += _refunds(commands.door().refunds_since(since), since)
    found += _transfers(commands.payouts().transfers_since(since), since)
    found += _disputes(since)
    found += _settled_elsewhere(since)
    found += _holds_forgotten(now)
    found += _balance(commands.door().balance())
    return found


# -- intents ---------------------------------------------------------------------------------------------------------


def _intent(intent: Intent) -> Iterator[Difference]:
    """Each must be ours, and captured and refunded as in our books."""
    row = _payment_of(intent)
    if row is None:
        yield Difference("intent_not_ours", intent.id, None, intent.state.value, intent.amount)
    elif row.intent_id != intent.id:
        if intent.captured:
            yield Difference("captured_twice", row.id, row.intent_id, intent.id, intent.captured)
        elif intent.state is IntentState.HELD and not _is_worked_at(row):
            yield Difference("held_besides", row.id, row.intent_id, intent.id, intent.amount)
    elif row.state in (State.CAPTURED, State.REFUNDED):
        for kind, ours, theirs in (
            ("captured", row.captured, intent.captured),
            ("refunded", row.refunded - _by_bank(row), intent.refunded),
        ):
            if ours != theirs.amount:
                yield Difference(kind, row.id, str(ours), str(theirs.amount), row.money(ours) - theirs)


@transactional
def _is_worked_at(row: Payment) -> bool:
    return bool(commands.opened(row.id))


@transactional
def _by_bank(row: Payment) -> int:
    return refund_by_bank.given(row.id)


@transactional
def _payment_of(intent: Intent) -> Payment | None:
    command = outcome.find(intent.id, intent.command)
    if command is None or command.payment_id is None:
        return None
    return session.get(Payment, command.payment_id, populate_existing=True)


# -- refunds, transfers, disputes ------------------------------------------------------------------------------------


@transactional
def _refunds(theirs: Sequence[Refund], since: datetime) -> list[Difference]:
    known = _commands("refund", [one.command for one in theirs])
    found = []
    for one in theirs:
        ours = known.get(one.command)
        if ours is None:
            found.append(Difference("refund_not_ours", one.id, None, one.state.value, one.amount))
        elif ours.state != commands.OPEN:
            stands = one.state is not RefundState.FAILED
            if stands != (ours.state == commands.DONE) or one.amount.amount != ours.amount:
                kind = Difference(
                    "refund", one.id, f"{ours.state} {ours.amount}", one.state.value, one.amount
                )
                found.append(kind)
    return found + _only_ours("refund", {one.id for one in theirs}, since)


@transactional
def _transfers(theirs: Sequence[TheirTransfer], since: datetime) -> list[Difference]:
    known = _commands("transfer", [one.command for one in theirs])
    busy = _busy(command.payment_id for command in known.values())
    back = _taken_back([one.id for one in theirs])
    found = []
    for one in theirs:
        command = known.get(one.command)
        if command is None:
            found.append(Difference("transfer_not_ours", one.id, None, one.account or "", one.amount))
        elif command.state == commands.OPEN:
            continue
        elif command.object_id != one.id:
            found.append(Difference("transfer", one.id, command.state, "made", one.amount))
        elif command.payment_id not in busy:
            ours = _money(command), Money(back.get(one.id, 0), one.amount.currency)
            if ours != (one.amount, one.reversed):
                left = (ours[0] - ours[1]) - (one.amount - one.reversed)
                found.append(
                    Difference("transfer", one.id, _sent(*ours), _sent(one.amount, one.reversed), left)
                )
    return found + _only_ours("transfer", {one.id for one in theirs}, since)


def _sent(amount: Money, back: Money) -> str:
    return f"{amount.amount} - {back.amount}"


def _taken_back(transfers: Sequence[str]) -> Mapping[str | None, int]:
    """What came back of each, by our commands."""
    done = (
        select(PaymentCommand.target, func.sum(PaymentCommand.amount))
        .where(
            PaymentCommand.kind == "reverse",
            PaymentCommand.state == commands.DONE,
            PaymentCommand.target.in_(transfers),
        )
        .group_by(PaymentCommand.target)
    )
    return {row[0]: int(row[1] or 0) for row in session.execute(done)}


def _busy(payments: Iterable[str | None]) -> set[str | None]:
    """Payments of which money is on its way back from the owner."""
    open_ = select(PaymentCommand.payment_id).where(
        PaymentCommand.kind == "reverse",
        PaymentCommand.state == commands.OPEN,
        PaymentCommand.payment_id.in_(list(payments)),
    )
    return set(session.scalars(open_))


def _commands(kind: str, keys: Sequence[str | None]) -> Mapping[str | None, PaymentCommand]:
    rows = select(PaymentCommand).where(PaymentCommand.kind == kind, PaymentCommand.key.in_(keys))
    return {row.key: row for row in session.scalars(rows.execution_options(populate_existing=True))}


def _only_ours(kind: str, theirs: set[str], since: datetime) -> list[Difference]:
    """What we hold for done and the provider does not know."""
    done = select(PaymentCommand).where(
        PaymentCommand.kind == kind,
        PaymentCommand.state == commands.DONE,
        PaymentCommand.made_at >= since + MARGIN,
    )
    return [
        Difference(kind, row.object_id or row.id, row.state, None, _money(row))
        for row in session.scalars(done)
        if row.object_id not in theirs
    ]


def _money(row: PaymentCommand) -> Money:
    return Money.from_dict({"amount": row.amount, "currency": row.currency})


def _disputes(since: datetime) -> list[Difference]:
    theirs = commands.disputes().disputes_since(since)
    ours = _known_disputes([one.id for one in theirs])
    return [
        Difference("dispute", one.id, ours.get(one.id), one.state.value, one.amount)
        for one in theirs
        if ours.get(one.id) != one.state.value
    ]


@transactional
def _known_disputes(theirs: list[str]) -> dict[str, str]:
    rows = session.execute(
        select(Dispute.external_id, Dispute.state).where(Dispute.external_id.in_(theirs))
    ).all()
    return {row.external_id: row.state for row in rows}


@transactional
def _settled_elsewhere(since: datetime) -> list[Difference]:
    """Found when their fee was asked for; they stay in the report as long as they are young."""
    young = select(PaymentDifference).where(
        PaymentDifference.kind == differences_of.ELSEWHERE, PaymentDifference.first_at >= since
    )
    return [
        differences_of.settled_elsewhere(
            row.subject, row.ours or "", Money.from_dict({"amount": row.amount, "currency": row.currency})
        )
        for row in session.scalars(young)
    ]


# -- holds -----------------------------------------------------------------------------------------------------------


@transactional
def holds_ending(now: datetime) -> list[Payment]:
    """Holds that the bank lets go within a day."""
    ends = select(Payment).where(Payment.state == State.HELD.value, Payment.capture_before < now + NEAR)
    return list(session.scalars(ends.order_by(Payment.capture_before)))


def _holds_forgotten(now: datetime) -> list[Difference]:
    """A deposit that could not be renewed, or need not be, stands as long as the bank lets it."""
    return [
        Difference("hold_not_renewed", row.id, row.state, z(row.capture_before), row.money(row.amount))
        for row in holds_ending(now)
        if row.purpose != DEPOSIT and row.capture_before is not None and row.capture_before < now + RENEWED_BY
    ]


# -- the balance -----------------------------------------------------------------------------------------------------


@transactional
def _balance(theirs: Sequence[Money]) -> list[Difference]:
    """The books' clearing account beside the balance, once nothing is on its way between the two."""
    return [] if _under_way() else balances_apart(_clearing(), theirs)


def balances_apart(ours: Sequence[Money], theirs: Sequence[Money]) -> list[Difference]:
    """Each currency in which the two are not the same, and by how much."""
    booked = {one.currency: one for one in ours}
    known = {one.currency: one for one in theirs}
    found = []
    for currency in sorted({*booked, *known}):
        zero = Money.zero(currency)
        mine, there = booked.get(currency, zero), known.get(currency, zero)
        if mine != there:
            found.append(Difference("balance", currency, str(mine.amount), str(there.amount), mine - there))
    return found


def _under_way() -> bool:
    """A command has no answer yet, or the fee of a young payment is not known yet, and will be."""
    asked = select(PaymentCommand.id).where(PaymentCommand.state == commands.OPEN, PaymentCommand.tries > 0)
    fee = select(LedgerEntry.id).where(LedgerEntry.kind == "fee", LedgerEntry.payment_id == Payment.id)
    taken = [one.value for one in TAKEN]
    captured = select(LedgerEntry.id).where(
        LedgerEntry.kind == "capture",
        LedgerEntry.payment_id == Payment.id,
        LedgerEntry.at >= clock.now() - LOOK_BACK,
    )
    elsewhere = session.scalars(
        select(PaymentDifference.subject).where(PaymentDifference.kind == differences_of.ELSEWHERE)
    ).all()
    unknown = select(Payment.id).where(
        Payment.state.in_(taken), captured.exists(), ~fee.exists(), Payment.id.not_in(elsewhere)
    )
    return any(session.execute(one.limit(1)).first() is not None for one in (asked, unknown))


def _clearing() -> list[Money]:
    rows: Sequence[Any] = session.execute(
        select(Posting.currency, func.sum(Posting.amount))
        .where(Posting.account == ledger.STRIPE_CLEARING)
        .group_by(Posting.currency)
    ).all()
    return [Money.from_dict({"amount": int(total), "currency": currency}) for currency, total in rows]
