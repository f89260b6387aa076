"""What the provider refused for good, while it is still wanted: tried again, ever later, then left to an operator.

Each try is a command of its own with a key of its own, since the provider answers a key with its first answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, select

from app.billing import commands
from app.billing.models import Payment, PaymentCommand
from app.kit import clock
from app.kit.db import session

log = structlog.get_logger(__name__)
AGAIN = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""When it is tried again, after each refusal: all within the shortest time a bank holds money. A figure of the product."""


def next_try(command: PaymentCommand, tries: int) -> datetime | None:
    """When to ask again what was refused that many times; None: no more, it is stuck from now on. Its payment is locked."""
    if tries <= len(AGAIN):
        return clock.now() + AGAIN[tries - 1]
    command.state = commands.STUCK
    log.error("refused time and again", kind=command.kind, payment=command.payment_id, command=command.id)
    return None


def locked(command: str) -> tuple[Payment, PaymentCommand] | None:
    """The payment of a refused command, locked, and the command as it stands by then."""
    found = session.get(PaymentCommand, command)
    if found is None or found.payment_id is None:
        return None
    payment = commands.lock(found.payment_id)
    return payment, session.get_one(PaymentCommand, command, populate_existing=True)


def stuck(kinds: Sequence[str], of: ColumnElement[bool]) -> Sequence[PaymentCommand]:
    """What waits for an operator, in the order it was made. The payment is locked."""
    found = select(PaymentCommand).where(
        PaymentCommand.kind.in_(kinds), PaymentCommand.state == commands.STUCK, of
    )
    ordered = found.order_by(PaymentCommand.id).execution_options(populate_existing=True)
    return session.scalars(ordered).all()
