"""The worker of payment commands: asks the provider outside any transaction, then applies what it says in one.

Steps, for each open command of the payment in the order they were made:
1. read the command and give the connection back; note the try (first try, count) in a transaction of its own
2. ask the provider, with the command's key; no answer: the job fails as temporary and comes back with the same key
3. one transaction: lock the payment, apply the outcome, settle the command, record facts, defer what follows
"""

from dataclasses import dataclass

import structlog

from app.billing import advance, commands, move, outcome, refund, refused_step
from app.billing.models import Card, Customer, Payment, PaymentCommand
from app.billing.state_table import Event
from app.billing.states import State
from app.kit.db import session, transactional
from app.kit.errors import Unavailable
from app.kit.jobs import job
from payments.gateway import ActionRequired, CardDeclined, Intent, IntentGone, KeySpent, PaymentsRefused
from payments.money import Money

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A command as plain values, to be carried out without the database."""

    id: str
    kind: str
    key: str
    payment: str
    rental: str
    amount: Money | None
    target: str
    customer: str | None
    card: str | None
    off_session: bool
    stale: bool


@job("payment_command")
def payment_command(payment: str) -> None:
    """Work off the open commands of one payment."""
    last = ""
    while (order := next_order(payment)) is not None:
        if order.id == last:
            raise Unavailable("The provider is still at it.")
        last = order.id
        try:
            carry_out(order)
        except KeySpent:
            commands.spent(order.id)
            last = ""


@transactional
def next_order(payment: str) -> Order | None:
    """The oldest open command, its try counted; one whose purpose is gone before the first try is dropped."""
    row = commands.lock(payment)
    for command in commands.opened(payment):
        if command.kind == "hold" and not command.tries and row.owed == 0 and row.state == State.HOLDING:
            commands.settle(command, commands.FAILED, error="dropped")
            advance.befalls(row, Event.DROPPED)
            continue
        return _order(row, command)
    return None


def _order(row: Payment, command: PaymentCommand) -> Order:
    amount = row.money(command.amount) if command.amount is not None else None
    old = commands.begin_try(command, amount)
    customer = session.get(Customer, row.person_id)
    named = session.get(Card, command.params["card"]) if "card" in command.params else None
    card = named.external_id if named and named.removed_at is None else None
    # a card that went away since the first try: what that try came to is looked up
    stale = old or ("card" in command.params and card is None and command.tries > 1)
    return Order(
        id=command.id,
        kind=command.kind,
        key=command.key,
        payment=row.id,
        rental=command.params.get("rental", row.rental_id),
        amount=amount,
        target=command.target or (row.intent_id if command.kind == commands.STAND_FOR else None) or "",
        customer=customer.external_id if customer else None,
        card=card,
        off_session=bool(command.params.get("off_session", True)),
        stale=stale,
    )


def carry_out(order: Order) -> None:
    """Ask, and apply the answer."""
    if order.kind in ("hold", "charge"):
        _attempt(order)
    elif order.kind == commands.STAND_FOR:
        move.show(order.id, order.payment, order.target, order.rental)
    elif order.kind == "refund":
        refund.carry_out(order.id, order.payment, order.target, order.amount, order.key, stale=order.stale)
    else:
        _step(order)


def _attempt(order: Order) -> None:
    if order.customer is None or (order.card is None and not order.stale):
        _decline(order, "card_needed", hard=True, intent=None)
        return
    try:
        intent = _ask(order)
    except CardDeclined as no:
        if no.intent is None:
            _decline(order, no.code, hard=no.hard, intent=None)
            return
        intent = commands.door().intent(no.intent)
    except ActionRequired as ask:
        intent = commands.door().intent(ask.intent)
    except PaymentsRefused as no:
        _decline(order, no.code or "refused", hard=False, intent=None)
        raise
    if intent is None:
        _again(order)
    else:
        outcome.apply(intent)


def _ask(order: Order) -> Intent | None:
    """None: sent before, and nothing came of it."""
    assert order.amount is not None
    assert order.customer is not None
    door = commands.door()
    if order.stale:
        return door.find_by_command(order.key, customer=order.customer)
    assert order.card is not None
    send = door.hold if order.kind == "hold" else door.charge
    return send(
        order.amount,
        customer=order.customer,
        card=order.card,
        key=order.key,
        rental=order.rental,
        off_session=order.off_session,
    )


def _step(order: Order) -> None:
    """Capture or release. Where that is refused, what the intent is by now decides."""
    door = commands.door()
    try:
        if order.kind == "capture":
            assert order.amount is not None
            intent = door.capture(order.target, order.amount, key=order.key)
        else:
            intent = door.release(order.target, key=order.key)
    except KeySpent as no:
        _refused(order, str(no))
    except PaymentsRefused as no:
        _refused(order, no.code or str(no))
    else:
        _stepped(order, intent, None)


def _refused(order: Order, error: str) -> None:
    """Not raised further: what else waits of the payment must not wait for this."""
    try:
        intent = commands.door().intent(order.target)
    except IntentGone:
        _gone(order)
        return
    if intent.state in refused_step.CLOSED:
        _stepped(order, intent, error)
    else:
        log.error("a step was refused", payment=order.payment, kind=order.kind, error=error)
        _stands(order, error)


@transactional
def _stepped(order: Order, intent: Intent, error: str | None) -> None:
    commands.lock(order.payment)
    command = _still_open(order)
    if command is not None:
        commands.settle(command, commands.FAILED if error else commands.DONE, error=error)
    outcome.apply(intent)


@transactional
def _stands(order: Order, error: str) -> None:
    """The intent is as it was: the step is tried again later."""
    commands.lock(order.payment)
    command = _still_open(order)
    if command is not None:
        refused_step.plan(command, error)


@transactional
def _decline(order: Order, code: str, *, hard: bool, intent: str | None) -> None:
    """The bank or the provider said no before there was an intent."""
    row = commands.lock(order.payment)
    command = _still_open(order)
    if command is None:
        return
    commands.settle(command, commands.FAILED, object_id=intent, error=code)
    session.flush()
    if command.id == row.attempt_id:
        outcome.refused(row, code, hard=hard)
        advance.next_step(row)


@transactional
def _again(order: Order) -> None:
    """An outcome older than the provider's memory turned out to be nothing: a new attempt with a new key."""
    row = commands.lock(order.payment)
    command = _still_open(order)
    if command is None:
        return
    commands.settle(command, commands.FAILED, error="never arrived")
    session.flush()
    if command.id == row.attempt_id:
        amount = row.money(command.amount or 0)
        commands.attempt(row, command.kind, amount, off_session=order.off_session, by=command.by)


@transactional
def _gone(order: Order) -> None:
    """The provider does not know the intent."""
    row = commands.lock(order.payment)
    command = _still_open(order)
    if command is None:
        return
    commands.settle(command, commands.FAILED, error="unknown intent")
    if row.intent_id == order.target:
        advance.befalls(row, Event.NEVER_HELD)


def _still_open(order: Order) -> PaymentCommand | None:
    found = session.get(PaymentCommand, order.id, populate_existing=True)
    return found if found is not None and found.state == commands.OPEN else None
