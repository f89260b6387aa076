"""A refund that the provider refused, or that a bank sent back: it stays promised until it is given.

Each try is a command of its own with a key of its own, and names the first. While it waits nobody else gives it back:
what is promised is no part of the remainder.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import func, or_, select

from app.billing import advance, commands, dispute_of
from app.billing.commands import AGAIN
from app.billing.models import Payment, PaymentCommand
from app.billing.states import TAKEN, State
from app.kit import clock, deadlines
from app.kit.db import session, transactional

log = structlog.get_logger(__name__)


def plan(command: PaymentCommand, error: str) -> None:
    """Settle a refused refund: with a next try, or to be looked at by an operator. Its payment is locked."""
    commands.settle(command, commands.WAITING, error=error)
    session.flush()
    tries = _tries(command)
    if tries <= len(AGAIN):
        deadlines.at("refund_again", command.id, clock.now() + AGAIN[tries - 1])
    else:
        command.state = commands.STUCK
        log.error("a refund is refused time and again", payment=command.payment_id, command=command.id)


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
    found = session.get(PaymentCommand, command)
    if found is None or found.payment_id is None:
        return
    payment = commands.lock(found.payment_id)
    refused = session.get_one(PaymentCommand, command, populate_existing=True)
    if refused.state != commands.WAITING:
        return
    if dispute_of.holds(payment.id):
        deadlines.at("refund_again", command, clock.now() + AGAIN[-1])
    else:
        again(payment, refused)


def again(payment: Payment, refused: PaymentCommand) -> None:
    """A new command, as far as anything is left; none where a bank has taken the money. The payment is locked."""
    commands.settle(refused, commands.FAILED, error=refused.error)
    session.flush()
    amount = min(refused.amount or 0, advance.remainder(payment))
    if payment.state not in TAKEN or payment.state == State.DISPUTED or amount <= 0:
        return
    assert refused.target is not None
    advance.move(payment, State.REFUNDING)
    commands.refund(payment, payment.money(amount), refused.target, by=refused.by, first=_first(refused))


def try_again(payment: Payment) -> bool:
    """An operator has what is stuck tried once more; False where nothing is, or a dispute is open. The payment is locked."""
    if dispute_of.holds(payment.id):
        return False
    found = stuck(payment)
    for one in found:
        again(payment, one)
    return bool(found)


def stuck(payment: Payment) -> Sequence[PaymentCommand]:
    """What of its refunds waits for an operator. The payment is locked."""
    found = select(PaymentCommand).where(
        PaymentCommand.payment_id == payment.id,
        PaymentCommand.kind == "refund",
        PaymentCommand.state == commands.STUCK,
    )
    ordered = found.order_by(PaymentCommand.id).execution_options(populate_existing=True)
    return session.scalars(ordered).all()
