"""What of money waits for an operator: steps refused time and again, other currencies, hearings."""

from collections.abc import Iterator

from sqlalchemy import func, select

from app.billing import commands, differences
from app.billing.models import PaymentCommand
from app.claims import alarms
from app.kit.db import session
from app.operator.finding import Finding, ok, warning


def refused_steps() -> Iterator[Finding]:
    """Captures, releases and refunds that nobody tries again by themselves."""
    stuck = PaymentCommand.state == commands.STUCK
    count = session.scalar(select(func.count()).select_from(PaymentCommand).where(stuck))
    if count:
        remedy = (
            "Look at their intents at the provider, then: flask --app wsgi operator payment retry. A refund that was"
            " paid by hand: POST /v1/operator/payments/{payment}/refunded-by-bank"
        )
        oldest = select(PaymentCommand.payment_id).where(stuck).order_by(PaymentCommand.id)
        first = session.scalar(oldest.limit(1))
        yield warning("refused steps", f"{count} captures, releases or refunds, the first of {first}", remedy)
    else:
        yield ok("refused steps", "none waits")


def currencies() -> Iterator[Finding]:
    """What the provider changes into another currency is in no book, and cannot be sent to owners."""
    elsewhere = [one for one in differences.standing() if one.kind == differences.ELSEWHERE]
    if elsewhere:
        pairs = ", ".join(sorted({f"{one.ours} in {one.theirs}" for one in elsewhere}))
        remedy = "Give the provider a bank account of yours in that currency: docs/guides/payouts.md, Setting it up"
        yield warning("currencies", f"{len(elsewhere)} payments were settled in another: {pairs}", remedy)
    else:
        yield ok("currencies", "payments are settled in their own")


def hearings() -> Iterator[Finding]:
    """One that nobody decides costs the owner the deposit."""
    count, oldest = alarms.waiting()
    if oldest > alarms.TOO_LONG:
        remedy = "Decide it: GET /v1/operator/charge-requests, then POST .../decide"
        yield warning("hearings", f"{count} wait for a decision, one for {oldest.days} days", remedy)
    else:
        yield ok("hearings", f"{count} wait for a decision")
