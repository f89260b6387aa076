"""What of money waits for an operator: steps that the provider refused time and again."""

from collections.abc import Iterator

from sqlalchemy import func, select

from app.billing import commands
from app.billing.models import PaymentCommand
from app.kit.db import session
from app.operator.finding import Finding, ok, warning


def refused_steps() -> Iterator[Finding]:
    """Captures and releases that nobody tries again by themselves."""
    stuck = PaymentCommand.state == commands.STUCK
    count = session.scalar(select(func.count()).select_from(PaymentCommand).where(stuck))
    if count:
        remedy = "Look at their intents at the provider, then: flask --app wsgi operator payment retry"
        first = session.scalar(select(PaymentCommand.payment_id).where(stuck).limit(1))
        yield warning("refused steps", f"{count} captures or releases, the first of {first}", remedy)
    else:
        yield ok("refused steps", "none waits")
