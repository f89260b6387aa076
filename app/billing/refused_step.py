"""A capture or release that the provider refused for good, while the intent still stands.

What the intent is by the next try decides, so nothing is taken twice.
"""

from sqlalchemy import func, select

from app.billing import advance, commands, refused
from app.billing.advance import Ask
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event
from app.kit import deadlines
from app.kit.db import session, transactional
from payments.gateway import IntentState

STEPS = ("capture", "release")
CLOSED = frozenset({IntentState.CAPTURED, IntentState.RELEASED})
"""No step of such an intent is left to be taken."""


def plan(command: PaymentCommand, error: str) -> None:
    """Settle a refused step: with a next try, or to be looked at by an operator. Its payment is locked."""
    commands.settle(command, commands.FAILED, error=error)
    session.flush()
    refusals = select(func.count()).where(
        PaymentCommand.kind == command.kind,
        PaymentCommand.target == command.target,
        PaymentCommand.state == commands.FAILED,
    )
    when = refused.next_try(command, int(session.scalar(refusals) or 0))
    if when is not None:
        deadlines.at("step_again", command.id, when)


@transactional
def due(command: str) -> None:
    """Deadline "step_again"."""
    found = refused.locked(command)
    if found is not None:
        _again(*found)


def over(intent: str) -> None:
    """The intent is taken or free by whatever way: no step of it waits for anybody. The payment is locked."""
    for one in refused.stuck(STEPS, PaymentCommand.target == intent):
        one.state = commands.FAILED


def try_again(payment: Payment) -> bool:
    """An operator has what is stuck tried once more; False where nothing is. The payment is locked."""
    found = refused.stuck(STEPS, PaymentCommand.payment_id == payment.id)
    for one in found:
        one.state = commands.FAILED
    session.flush()
    for one in found:
        _again(payment, one)
    return bool(found)


def _again(payment: Payment, command: PaymentCommand) -> None:
    """A new command, where the step is still wanted: what is owed by now decides what is asked of the present intent."""
    assert command.target is not None
    if command.target == payment.intent_id:
        advance.befalls(payment, Event.STEP_REFUSED, Ask(amount=command.amount))
    elif command.kind == "release":
        commands.step(payment, "release", None, command.target)
