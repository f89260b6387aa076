"""Whether the money of a booking is secured: the request waits for the provider's answer, as long as its caller likes to."""

from collections.abc import Sequence

from flask import current_app
from sqlalchemy import select

from app.billing import shown
from app.billing.models import Payment
from app.billing.states import State
from app.kit.clock import z
from app.kit.db import release, session
from app.kit.errors import CardDeclined, PaymentActionRequired

LOST = frozenset({State.HOLD_FAILED, State.RELEASING, State.RELEASED, State.ARREARS, State.WRITTEN_OFF})


def wait(payments: Sequence[str], rental: str, seconds: int) -> None:
    """Until the provider has answered for all of them or the time is up. The booking stands either way, until the deadline
    in the problem.

    Raises CardDeclined, PaymentActionRequired. Holds no connection while it waits.
    """
    waiting = current_app.extensions["glovebox"].commands

    def answered() -> bool:
        states = {row.state for row in _rows(payments)}
        release()
        return not states & {State.HOLDING, State.CAPTURING}

    if seconds > 0 and waiting.until(rental, answered, seconds):
        for row in _rows(payments):
            _refuse(row)


def _rows(payments: Sequence[str]) -> Sequence[Payment]:
    found = select(Payment).where(Payment.id.in_(payments)).order_by(Payment.id)
    return session.scalars(found.execution_options(populate_existing=True)).all()


def _refuse(row: Payment) -> None:
    until = z(row.deadline_at) if row.deadline_at else None
    if row.state == State.ACTION_REQUIRED:
        action = shown.action(row) or {}
        raise PaymentActionRequired(
            "Confirm with your bank in the app; the booking waits for it.",
            client_secret=action.get("client_secret"),
            rental=row.rental_id,
            until=until,
        )
    if row.state in LOST:
        raise CardDeclined(
            "The bank declined the card. Try again with another: POST payments/retry.",
            rental=row.rental_id,
            until=until,
        )
