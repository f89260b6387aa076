"""A capture or release that the provider refused for good, while the intent still stands: tried again, ever later.

Each try is a command of its own with a key of its own; what the intent is by then decides, so nothing is taken twice.
After the last try an operator is alarmed and may have it tried once more.
"""

import structlog
from sqlalchemy import Select, func, select

from app.billing import advance, commands, refused_refund
from app.billing.commands import AGAIN
from app.billing.models import Payment, PaymentCommand
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from payments.gateway import IntentState

log = structlog.get_logger(__name__)
STEPS = ("capture", "release")
CLOSED = frozenset({IntentState.CAPTURED, IntentState.RELEASED})
"""No step of such an intent is left to be taken."""


def plan(command: PaymentCommand, error: str) -> None:
    """Settle a refused step: with a next try, or to be looked at by an operator. Its payment is locked."""
    commands.settle(command, commands.FAILED, error=error)
    refusals = select(func.count()).where(
        PaymentCommand.kind == command.kind,
        PaymentCommand.target == command.target,
        PaymentCommand.state == commands.FAILED,
    )
    session.flush()
    tries = int(session.scalar(refusals) or 0)
    if tries <= len(AGAIN):
        deadlines.at("step_again", command.id, clock.now() + AGAIN[tries - 1])
    else:
        command.state = commands.STUCK
        log.error("a step is refused time and again", payment=command.payment_id, command=command.id)


@transactional
def due(command: str) -> None:
    """Deadline "step_again"."""
    refused = session.get(PaymentCommand, command)
    if refused is not None and refused.payment_id is not None:
        _again(commands.lock(refused.payment_id), refused)


def over(intent: str) -> None:
    """The intent is taken or free by whatever way: no step of it waits for anybody. The payment is locked."""
    for one in session.scalars(_stuck().where(PaymentCommand.target == intent)):
        one.state = commands.FAILED


@transactional
def try_again(payment: str) -> Payment | None:
    """An operator has what was refused of a payment tried once more; None where nothing was."""
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    stuck = list(session.scalars(_stuck().where(PaymentCommand.payment_id == payment)))
    given = refused_refund.try_again(row) if row is not None else False
    if row is None or not (stuck or given):
        return None
    for one in stuck:
        one.state = commands.FAILED
    session.flush()
    for one in stuck:
        _again(row, one)
    return row


def _stuck() -> Select[PaymentCommand]:
    return select(PaymentCommand).where(
        PaymentCommand.kind.in_(STEPS), PaymentCommand.state == commands.STUCK
    )


def _again(payment: Payment, refused: PaymentCommand) -> None:
    """A new command, where the step is still wanted: what is owed by now decides what is asked of the present intent."""
    assert refused.target is not None
    if refused.target == payment.intent_id:
        advance.step_again(payment, refused.amount)
    elif refused.kind == "release":
        commands.step(payment, "release", None, refused.target)
