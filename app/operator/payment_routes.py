"""HTTP of operators: payments, disputes of them, and warnings of fraud."""

from typing import Any

from app.kit.errors import CardNeeded, StepNotAllowed
from app.kit.fields import Paging
from app.kit.http import Page
from app.operator import money, payment_schemas, schemas, show
from app.operator.routes import change, read, why


@read("/payments", "Payments", payment_schemas.PaymentsQuery, payment_schemas.OperatorPaymentPage)
def list_all_payments(query: dict[str, Any]) -> Page:
    return show.payments(query)


@read("/disputes", "Disputes of payments", payment_schemas.DisputesQuery, payment_schemas.OperatorDisputePage)
def list_disputes(query: dict[str, Any]) -> Page:
    return money.disputes(query)


@read(
    "/fraud-warnings",
    "Warnings of banks nobody has looked at",
    Paging,
    payment_schemas.OperatorFraudWarningPage,
)
def list_fraud_warnings(query: dict[str, Any]) -> Page:
    return money.warnings(query)


@change(
    '/payments/<pid("pay"):payment>/retry',
    "Try a payment again",
    schemas.OperatorReason,
    payment_schemas.OperatorPayment,
    StepNotAllowed,
    CardNeeded,
    key=True,
)
def retry_payment_as_operator(payment: str, body: dict[str, Any]) -> dict[str, Any]:
    return show.payment(money.retry_payment(payment, **why(body)))


@change(
    '/payments/<pid("pay"):payment>/refund',
    "Give money back",
    payment_schemas.RefundIn,
    payment_schemas.OperatorPayment,
    StepNotAllowed,
    key=True,
)
def refund_payment(payment: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives back part of what was captured, or all that is left; warnings of fraud about it are cleared with it."""
    return show.payment(money.refund_payment(payment, body["amount"], **why(body)))


@change(
    '/payments/<pid("pay"):payment>/write-off',
    "Give up what a driver owes",
    schemas.OperatorReason,
    payment_schemas.OperatorPayment,
    StepNotAllowed,
)
def write_off_payment(payment: str, body: dict[str, Any]) -> dict[str, Any]:
    """Writes arrears off: nothing is tried any more. The driver stays barred from priced rentals until they pay, or the bar
    is lifted; paying undoes the write-off.
    """
    return show.payment(money.write_off_payment(payment, **why(body)))


@change(
    '/payments/<pid("pay"):payment>/lift-bar',
    "Let a driver rent again who never paid",
    schemas.OperatorReason,
    payment_schemas.OperatorPayment,
    StepNotAllowed,
)
def lift_bar(payment: str, body: dict[str, Any]) -> dict[str, Any]:
    """What was written off no longer bars its driver from priced rentals; it can still be paid."""
    return show.payment(money.lift_bar(payment, **why(body)))


@change(
    '/disputes/<pid("dsp"):dispute>/charge-owner',
    "The owner caused a dispute",
    schemas.OperatorReason,
    payment_schemas.OperatorDispute,
)
def charge_owner_of_dispute(dispute: str, body: dict[str, Any]) -> dict[str, Any]:
    """The owner bears their share of a dispute that is lost; else the platform does."""
    return money.shown(money.charge_owner(dispute, **why(body)))


@change(
    '/fraud-warnings/<pid("frw"):warning>/clear',
    "A warning is dealt with",
    schemas.OperatorReason,
    payment_schemas.OperatorFraudWarning,
)
def clear_fraud_warning(warning: str, body: dict[str, Any]) -> dict[str, Any]:
    return money.shown_warning(money.clear_warning(warning, **why(body)))
