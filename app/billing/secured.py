"""Whether the money of a booking is secured: the request waits for the provider's answer, as long as its caller likes to."""

from flask import current_app

from app.billing import shown
from app.billing.models import Payment
from app.billing.states import State
from app.kit.clock import z
from app.kit.db import release, session
from app.kit.errors import CardDeclined, PaymentActionRequired

LOST = frozenset({State.HOLD_FAILED, State.RELEASING, State.RELEASED, State.ARREARS})


def wait(payment: str, rental: str, seconds: int) -> None:
    """Until the provider has answered or the time is up. The booking stands either way, until the deadline in the problem.

    Raises CardDeclined, PaymentActionRequired. Holds no connection while it waits.
    """
    waiting = current_app.extensions["glovebox"].commands

    def answered() -> bool:
        row = session.get(Payment, payment, populate_existing=True)
        state = row.state if row is not None else None
        release()
        return state not in (State.HOLDING, State.CAPTURING)

    if seconds > 0 and waiting.until(rental, answered, seconds):
        _refuse(session.get(Payment, payment, populate_existing=True))


def _refuse(row: Payment | None) -> None:
    if row is None:
        return
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
