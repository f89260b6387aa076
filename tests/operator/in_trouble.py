"""Payments as operators find them: captured, disputed, warned of, in arrears, or refused by the provider time and again."""

from sqlalchemy import select

from app.billing import commands
from app.billing.models import Payment, PaymentCommand
from app.billing.payout_models import Dispute, FraudWarning
from app.kit import clock
from app.kit.db import session
from tests.messages import stage


def paid(of: stage.Cast | None = None) -> Payment:
    """A payment of 12.50 EUR that was captured."""
    payment, _ = stage.paid(of or stage.cast())
    row = session.get_one(Payment, payment)
    row.intent_id = f"pi_{payment}"
    session.commit()
    return row


def disputed(payment: Payment) -> str:
    now = clock.now()
    row = Dispute(
        payment_id=payment.id,
        rental_id=payment.rental_id,
        external_id=f"du_{payment.id}",
        key=f"evidence:{payment.id}",
        state="open",
        reason="fraudulent",
        amount=1250,
        currency="EUR",
        refundable=False,
        borne_by="platform",
        answer_by=now,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.commit()
    return row.id


def warned(payment: Payment) -> str:
    """A bank's warning of fraud."""
    row = FraudWarning(
        payment_id=payment.id,
        person_id=payment.person_id,
        external_id=f"issfr_{payment.id}",
        kind="misc",
        made_at=clock.now(),
    )
    session.add(row)
    session.commit()
    return row.id


def in_arrears(of: stage.Cast | None = None) -> Payment:
    row = paid(of)
    row.state, row.captured, row.owed = "arrears", 0, 1250
    session.commit()
    return row


def capture_stuck(payment: Payment) -> None:
    """Its capture waits for an operator, the first time or again."""
    payment.state, payment.owed = "capturing", 1250
    commands.step(payment, "capture", payment.money(1250), str(payment.intent_id))
    live = select(PaymentCommand).filter_by(payment_id=payment.id, kind="capture")
    session.scalars(live.where(PaymentCommand.state != commands.FAILED)).one().state = commands.STUCK
    session.commit()


def refund_stuck(payment: Payment, amount: int) -> None:
    """So much was promised back and waits for an operator."""
    row = commands.refund(payment, payment.money(amount), str(payment.intent_id), by="operator")
    row.state = commands.STUCK
    session.commit()
