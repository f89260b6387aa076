"""Carrying out what concerns the owner: transfers and their reversals, one after the other for each payment.

Steps as in `work`: count the try, ask the provider under the command's key, apply the answer.
"""

from dataclasses import dataclass

import structlog

from app import facts
from app.billing import commands, ledger, owed, transfer
from app.billing.ledger import Entry, Line
from app.billing.models import Payment, PaymentCommand
from app.billing.payout_models import Transfer
from app.billing.transfer_table import TransferEvent
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.kit.errors import Unavailable
from app.kit.facts import record
from app.kit.jobs import defer, job
from payments.gateway import BalanceTooLow, KeySpent, PaymentsRefused
from payments.money import Money
from payments.payouts import AccountNotPayable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A command to the owner as plain values, to be carried out without the database."""

    id: str
    kind: str
    key: str
    payment: str
    rental: str
    amount: Money
    target: str
    account: str
    already_back: int
    stale: bool


@job("owner_command")
def owner_command(payment: str) -> None:
    """Work off what is open between us and the owner of one payment."""
    last = ""
    while (order := _next(payment)) is not None:
        if order.id == last:
            raise Unavailable("The provider is still at it.")
        last = order.id
        try:
            if order.kind == "transfer":
                _transfer(order)
            else:
                _reverse(order)
        except KeySpent:
            commands.spent(order.id)
            last = ""


@transactional
def _next(payment: str) -> Order | None:
    row = commands.lock(payment)
    command = next(iter(commands.opened(payment, *commands.TO_OWNER)), None)
    sent = transfer.of(payment)
    if command is None or sent is None:
        return None
    amount = row.money(command.amount or 0)
    return Order(
        id=command.id,
        kind=command.kind,
        key=command.key,
        payment=row.id,
        rental=row.rental_id,
        amount=amount,
        target=command.target or "",
        account=command.params.get("account", ""),
        already_back=next((one.back for one in owed.sent(payment) if one.external_id == command.target), 0),
        stale=commands.begin_try(command, amount),
    )


# -- to the owner ----------------------------------------------------------------------------------------------------


def _transfer(order: Order) -> None:
    door = commands.payouts()
    try:
        if order.stale:
            mine = (one for one in door.transfers_of(order.rental) if one.command == order.key)
            made = next(mine, None)
        else:
            made = door.transfer(
                order.amount, account=order.account, charge=order.target, rental=order.rental, key=order.key
            )
    except BalanceTooLow:
        _put_off(order, "balance_too_low")
    except AccountNotPayable as no:
        _blocked(order, no.code or "")
    except PaymentsRefused as no:
        _put_off(order, no.code or "refused")
        raise
    else:
        if made is None:
            _put_off(order, "never arrived")
        else:
            _sent(order, made.id)


@transactional
def _sent(order: Order, external: str) -> None:
    payment, command, row = _locked(order)
    if command is None:
        return
    commands.settle(command, commands.DONE, object_id=external)
    row.external_id = external
    transfer.befalls(row, TransferEvent.SENT)
    money = order.amount
    fact = facts.OwnerPaid(row.payee, payment.id, payment.rental_id, money.amount, money.currency)
    _post("transfer", command, payment, row, money, record(fact))
    transfer.level(payment)


@transactional
def _put_off(order: Order, why: str) -> None:
    """Not sent: a new attempt with a new key tomorrow, or at once when the old one was merely never answered."""
    _, command, row = _locked(order)
    if command is None:
        return
    commands.settle(command, commands.FAILED, error=why)
    transfer.befalls(row, TransferEvent.NOT_SENT)
    now = clock.now()
    deadlines.at("transfer", row.id, now if why == "never arrived" else now + transfer.AGAIN)


@transactional
def _blocked(order: Order, why: str) -> None:
    """The account cannot be paid after all: it is looked at, and the deadline tells its owner what then stands there."""
    _, command, row = _locked(order)
    if command is None:
        return
    commands.settle(command, commands.FAILED, error=why)
    transfer.befalls(row, TransferEvent.NOT_PAYABLE)
    deadlines.at("transfer", row.id, clock.now() + transfer.AGAIN)
    defer("payout_account", lock=order.account, person=row.payee)


# -- and back --------------------------------------------------------------------------------------------------------


def _reverse(order: Order) -> None:
    door = commands.payouts()
    try:
        if order.stale:
            found = next((one for one in door.transfers_of(order.rental) if one.id == order.target), None)
            if found is None or found.reversed.amount < order.already_back + order.amount.amount:
                _kept(order, "never arrived")
                return
        else:
            door.reverse(order.target, order.amount, key=order.key)
    except (BalanceTooLow, PaymentsRefused) as no:
        _kept(order, getattr(no, "code", None) or "balance_too_low")
    else:
        _back(order)


@transactional
def _back(order: Order) -> None:
    payment, command, row = _locked(order)
    if command is None:
        return
    commands.settle(command, commands.DONE, object_id=order.target)
    transfer.count(row)
    row.changed_at = clock.now()
    money = order.amount
    fact = facts.OwnerGaveBack(row.payee, payment.id, payment.rental_id, money.amount, money.currency)
    _post("reversal", command, payment, row, -money, record(fact))


@transactional
def _kept(order: Order, why: str) -> None:
    """It cannot be taken back, mostly since it went to their bank: they owe it, and it is set off against what they earn."""
    _, command, row = _locked(order)
    if command is not None:
        commands.settle(command, commands.FAILED, error=why)
        log.warning(
            "an owner owes", payee=row.payee, payment=order.payment, amount=order.amount.amount, why=why
        )


def _post(
    kind: str, command: PaymentCommand, payment: Payment, row: Transfer, money: Money, fact_seq: int
) -> None:
    lines = (Line(ledger.OWNER_PAYABLE, money, row.payee), Line(ledger.STRIPE_CLEARING, -money))
    ledger.post(Entry(kind, "command", command.id, lines, payment.id, payment.rental_id, fact_seq))


def _locked(order: Order) -> tuple[Payment, PaymentCommand | None, Transfer]:
    """Payment and transfer, locked, and the command while its outcome is not known."""
    payment = commands.lock(order.payment)
    command = session.get(PaymentCommand, order.id, populate_existing=True)
    row = transfer.of(order.payment)
    assert row is not None
    return payment, command if command is not None and command.state == commands.OPEN else None, row
