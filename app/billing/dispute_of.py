"""Whether a payment is disputed: asked by refunds, transfers and whoever moves its state."""

from sqlalchemy import select

from app.billing.payout_models import Dispute
from app.kit.db import session
from payments.disputes import DisputeState

UNDECIDED = (DisputeState.INQUIRY.value, DisputeState.OPEN.value, DisputeState.SENT.value)
HOLDS = (DisputeState.OPEN.value, DisputeState.SENT.value)
"""The bank has the money and has not decided."""
STANDS = (*HOLDS, DisputeState.LOST.value)
"""The bank has the money."""


def holds(payment: str) -> bool:
    """Whether a dispute of the payment is undecided, so that nothing of it is paid out."""
    return _any(payment, HOLDS)


def undecided(rental: str) -> bool:
    """Whether a bank still asks about any payment of the rental."""
    found = select(Dispute.id).where(Dispute.rental_id == rental, Dispute.state.in_(UNDECIDED))
    return session.execute(found.limit(1)).first() is not None


def refundable(payment: str) -> bool:
    """Whether the provider still takes a refund of it: mostly not once it was disputed."""
    found = select(Dispute.id).where(Dispute.payment_id == payment, Dispute.refundable.is_(False))
    return session.execute(found.limit(1)).first() is None


def stands(payment: str) -> bool:
    """Whether a bank has the money of the payment back, for now or for good."""
    session.flush()
    return _any(payment, STANDS)


def _any(payment: str, states: tuple[str, ...]) -> bool:
    found = select(Dispute.id).where(Dispute.payment_id == payment, Dispute.state.in_(states))
    return session.execute(found.limit(1)).first() is not None
