"""What operators see and do about payments, disputes, warnings and the bank; changes with a reason in the audit log."""

from typing import Any

from sqlalchemy import select

from app.billing import advance, bank, dispute, fraud_warning, insurer_account, ledger, refund, retry
from app.billing import refund_by_bank as by_bank
from app.billing import write_off as giving_up
from app.billing.models import Payment
from app.billing.payout_models import Dispute, FraudWarning
from app.coverage import partners
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.kit.http import Page, page
from app.operator.act import audit
from payments.money import Money


@transactional
def retry_payment(payment: str, *, by: str, reason: str) -> Payment:
    """Try a payment again: a new command with a new key. What the provider refused time and again comes first.

    Raises NotFound, StepNotAllowed, CardNeeded.
    """
    retried = retry.as_operator(payment, by)
    audit(by, "payment retry", payment, reason)
    return retried


@transactional
def refund_payment(payment: str, amount: int | None, *, by: str, reason: str) -> Payment:
    """Give back that much, or all that is left. Raises NotFound, StepNotAllowed, Validation."""
    found = session.get(Payment, payment)
    if found is None:
        raise NotFound
    given = refund.refund(payment, advance.remainder(found) if amount is None else amount, by)
    if not advance.remainder(given):
        fraud_warning.clear_of_payment(payment, by)
    audit(by, "payment refund", payment, reason)
    return given


@transactional
def refund_by_bank(payment: str, money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """What is stuck of its refunds was paid by hand. Raises NotFound, StepNotAllowed, AlreadyExists."""
    if by_bank.refund_by_bank(payment, money, reference):
        audit(by, "payment refund by bank", payment, reason)
    return {"payment": payment, "reference": reference, "amount": money.to_dict()}


@transactional
def write_off_payment(payment: str, *, by: str, reason: str) -> Payment:
    """Give up arrears; the driver stays barred from priced rentals until they pay. Raises NotFound, StepNotAllowed."""
    given_up = giving_up.write_off(payment)
    audit(by, "payment write-off", payment, reason)
    return given_up


@transactional
def lift_bar(payment: str, *, by: str, reason: str) -> Payment:
    """The driver rents at a price again although it was never paid. Raises NotFound, StepNotAllowed."""
    found = giving_up.lift_bar(payment)
    audit(by, "payment lift-bar", payment, reason)
    return found


@transactional
def charge_owner(dispute_id: str, *, by: str, reason: str) -> Dispute:
    """The owner caused the dispute and bears their share, should it be lost. Raises NotFound."""
    found = dispute.charge_owner(dispute_id)
    audit(by, "dispute charge-owner", dispute_id, reason)
    return found


@transactional
def clear_warning(warning: str, *, by: str, reason: str) -> FraudWarning:
    """It is no fraud: the driver unlocks priced rentals again. Raises NotFound."""
    found = fraud_warning.clear(warning, by)
    audit(by, "warning clear", warning, reason)
    return found


@transactional
def insurer_paid(insurer: str, money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """An insurer was paid, as the bank says. As each of these raises StepNotAllowed, AlreadyExists; NotFound besides."""
    partners.find_insurer(insurer)
    if bank.insurer_paid(insurer, money, reference):
        audit(by, "insurer paid", insurer, reason)
    left = insurer_account.owed(insurer, money.currency)
    return _moved(money, reference, left) | {"insurer": insurer}


@transactional
def vat_paid(money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """Tax was paid."""
    if bank.vat_paid(money, reference):
        audit(by, "vat paid", reference, reason)
    return _moved(money, reference, -ledger.balances(ledger.VAT_PAYABLE, money.currency))


@transactional
def provider_paid_out(money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """The payment provider paid of our balance to our bank."""
    if bank.provider_paid_out(money, reference):
        audit(by, "provider payout", reference, reason)
    return _moved(money, reference, ledger.balances(ledger.STRIPE_CLEARING, money.currency))


@transactional
def provider_payout_failed(money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """A payout of our balance came back."""
    if bank.provider_payout_failed(money, reference):
        audit(by, "provider payout failed", reference, reason)
    return _moved(money, reference, ledger.balances(ledger.STRIPE_CLEARING, money.currency))


@transactional
def provider_fee(money: Money, reference: str, *, by: str, reason: str) -> dict[str, Any]:
    """The provider took a fee of no single charge."""
    if bank.provider_fee(money, reference):
        audit(by, "provider fee", reference, reason)
    return _moved(money, reference, ledger.balances(ledger.STRIPE_CLEARING, money.currency))


def _moved(money: Money, reference: str, left: Money) -> dict[str, Any]:
    return {"reference": reference, "amount": money.to_dict(), "left": left.to_dict()}


def insurer_month(insurer: str, month: str, zone: str = "UTC") -> dict[str, Any]:
    """An insurer's account in a month. Raises NotFound."""
    partners.find_insurer(insurer)
    return {"insurer": insurer, "month": month, "lines": insurer_account.month(insurer, month, zone)}


def disputes(query: dict[str, Any]) -> Page:
    """A page of disputes, in one state or all."""
    statement = select(Dispute)
    if query["state"] is not None:
        statement = statement.where(Dispute.state == query["state"])
    found = page(statement, Dispute.id, limit=query["limit"], cursor=query["cursor"])
    found.items = [shown(row) for row in found.items]
    return found


def shown(row: Dispute) -> dict[str, Any]:
    return {
        "id": row.id,
        "payment": row.payment_id,
        "rental": row.rental_id,
        "external_id": row.external_id,
        "state": row.state,
        "reason": row.reason,
        "amount": {"amount": row.amount, "currency": row.currency},
        "refundable": row.refundable,
        "borne_by": row.borne_by,
        "answer_by": row.answer_by,
        "evidence_sent_at": row.evidence_sent_at,
        "made_at": row.made_at,
    }


def warnings(query: dict[str, Any]) -> Page:
    """A page of the early-fraud warnings nobody has looked at."""
    found = page(select(FraudWarning).where(FraudWarning.cleared_at.is_(None)), FraudWarning.id, **query)
    found.items = [shown_warning(row) for row in found.items]
    return found


def shown_warning(row: FraudWarning) -> dict[str, Any]:
    return {
        "id": row.id,
        "payment": row.payment_id,
        "person": row.person_id,
        "kind": row.kind,
        "made_at": row.made_at,
        "cleared_at": row.cleared_at,
    }
