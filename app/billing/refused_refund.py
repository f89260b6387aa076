"""A refund that the provider refused, or that a bank sent back: it stays promised until it is given.

Each try names the first. While it waits nobody else gives it back: what is promised is no part of the remainder.
"""

from collections.abc import Sequence

from sqlalchemy import func, or_, select

from app.billing import advance, commands, dispute_of, promises, refused, transfer
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event
from app.billing.states import TAKEN, State
from app.kit import clock, deadlines
from app.kit.db import session, transactional


def plan(command: PaymentCommand, error: str) -> None:
    """Settle a refused refund: with a next try, or to be looked at by an operator. Its payment is locked."""
    commands.settle(command, commands.WAITING, error=error)
    session.flush()
    when = refused.next_try(command, _tries(command))
    if when is not None:
        deadlines.at("refund_again", command.id, when)


def _tries(command: PaymentCommand) -> int:
    first = _first(command)
    found = select(func.count()).where(
        PaymentCommand.payment_id == command.payment_id,
        PaymentCommand.kind == "refund",
        or_(PaymentCommand.id == first, PaymentCommand.params["first"].astext == first),
    )
    return int(session.scalar(found) or 0)


def _first(command: PaymentCommand) -> str:
    return str(command.params.get("first", command.id))


@transactional
def due(command: str) -> None:
    """Deadline "refund_again". While a bank has the money in a dispute nothing is asked, and no try is used up."""
    found = refused.locked(command)
    if found is None:
        return
    payment, waiting = found
    if waiting.state != commands.WAITING:
        return
    if dispute_of.holds(payment.id):
        deadlines.at("refund_again", command, clock.now() + refused.AGAIN[-1])
    else:
        _again(payment, waiting)


def _again(payment: Payment, command: PaymentCommand) -> None:
    """A new command, as far as anything is left; none where a bank has taken the money."""
    commands.settle(command, commands.FAILED, error=command.error)
    session.flush()
    amount = min(command.amount or 0, advance.remainder(payment))
    if payment.state in TAKEN and payment.state != State.DISPUTED and amount > 0:
        assert command.target is not None
        advance.befalls(payment, Event.REFUND)
        commands.refund(payment, payment.money(amount), command.target, by=command.by, first=_first(command))
    else:
        transfer.level(payment)  # what was promised of the owner's share is theirs
    promises.in_the_books(payment)


def try_again(payment: Payment) -> bool:
    """An operator has what is stuck tried once more; False where nothing is, or a dispute is open. The payment is locked."""
    if dispute_of.holds(payment.id):
        return False
    found = stuck(payment)
    for one in found:
        _again(payment, one)
    return bool(found)


def stuck(payment: Payment) -> Sequence[PaymentCommand]:
    """What of its refunds waits for an operator. The payment is locked."""
    return refused.stuck(("refund",), PaymentCommand.payment_id == payment.id)
