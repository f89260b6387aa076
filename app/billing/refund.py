"""Giving money back: never more than the remainder, however many ask at once."""

import structlog

from app import facts
from app.billing import advance, commands, dispute_of, ledger, promises, refused_refund, transfer
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event
from app.billing.states import TAKEN
from app.kit.db import session, transactional
from app.kit.errors import NotFound, StepNotAllowed, Validation
from app.kit.facts import record
from payments.gateway import BalanceTooLow, KeySpent, PaymentsRefused, Refund, RefundState
from payments.money import Money

log = structlog.get_logger(__name__)


@transactional
def refund(payment: str, amount: int, by: str) -> Payment:
    """Give back that many minor units of what was captured. Raises NotFound, StepNotAllowed, Validation."""
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.state not in TAKEN or row.intent_id is None:
        raise StepNotAllowed("Nothing was captured.", state=row.state, steps=[])
    if not dispute_of.refundable(payment):
        why = "It is disputed, and the provider allows no refund of it any more."
        raise StepNotAllowed(why, state=row.state, steps=[])
    left = advance.remainder(row)
    if not 0 < amount <= left:
        detail = f"From 1 to {left}: what was captured and not yet given back."
        raise Validation(errors=[{"pointer": "/amount", "code": "invalid", "detail": detail}])
    advance.befalls(row, Event.REFUND)
    commands.refund(row, row.money(amount), row.intent_id, by=by)
    promises.in_the_books(row)
    return row


def carry_out(
    command: str, payment: str, intent: str, amount: Money | None, key: str, *, stale: bool
) -> None:
    """Ask the provider, and write down what it says. Refused, it is tried again later: nothing else waits for it.

    What our balance does not cover is a refusal too: the provider answers the same key with its first answer.
    """
    assert amount is not None
    door = commands.door()
    found = _earlier(intent, key) if stale else None
    try:
        made = found or door.refund(intent, amount, key=key)
    except KeySpent as no:
        if not stale:
            raise
        _refused(command, payment, str(no))  # looked up, and not there: the next try has a key of its own
    except (PaymentsRefused, BalanceTooLow) as no:
        _refused(command, payment, getattr(no, "code", None) or str(no))
    else:
        apply(command, payment, made)


def _earlier(intent: str, key: str) -> Refund | None:
    return next((one for one in commands.door().refunds_of(intent) if one.command == key), None)


@transactional
def apply(command: str, payment: str, made: Refund) -> None:
    """Asked and not refused counts as given back; the bank may still send it back days later: then a person must look."""
    row = commands.lock(payment)
    asked = session.get(PaymentCommand, command, populate_existing=True)
    assert asked is not None
    if made.state is RefundState.FAILED:
        _sent_back(row, asked, made)
        _rest(row)
        return
    if asked.state == commands.OPEN:
        commands.settle(asked, commands.DONE, object_id=made.id)
        row.refunded += made.amount.amount
        fact = facts.PaymentRefunded(row.id, row.rental_id, made.amount.amount, made.amount.currency)
        ledger.refunded(row, made.amount, asked.id, record(fact))
        transfer.level(row)
    _rest(row)
    advance.next_step(row)


def _sent_back(row: Payment, asked: PaymentCommand, made: Refund) -> None:
    """It stays promised: asking the same bank once more by ourselves would mostly come to the same."""
    if asked.state not in (commands.OPEN, commands.DONE):
        return
    if asked.state == commands.DONE:
        row.refunded -= made.amount.amount
        ledger.refund_failed(row, asked.id)
    log.error("a refund was sent back", payment=row.id, command=asked.id)
    commands.settle(asked, commands.STUCK, object_id=made.id, error="sent back by the bank")


@transactional
def _refused(command: str, payment: str, error: str) -> None:
    log.error("a refund was refused", payment=payment, command=command, error=error)
    row = commands.lock(payment)
    asked = session.get(PaymentCommand, command, populate_existing=True)
    if asked is not None and asked.state == commands.OPEN:
        refused_refund.plan(asked, error)
    _rest(row)


def _rest(row: Payment) -> None:
    promises.in_the_books(row)
    if not commands.opened(row.id, "refund"):
        advance.befalls(row, Event.REFUND_OVER)
