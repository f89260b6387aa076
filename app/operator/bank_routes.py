"""HTTP of operators: what insurers are owed, and what went through the bank."""

from typing import Any

from app.kit.errors import AlreadyExists, StepNotAllowed
from app.operator import bank_schemas, money
from app.operator.insurer_routes import INSURER
from app.operator.routes import CHANGE, REFUSED, change, routes, why
from payments.money import Money


@routes.add(
    "GET",
    INSURER + "/accounts/<string(length=7):month>",
    summary="What an insurer is owed, by month",
    returns=bank_schemas.InsurerAccount,
    problems=REFUSED,
    **CHANGE,
)
def read_insurer_account(insurer: str, month: str) -> dict[str, Any]:
    """A month is "YYYY-MM", in UTC: the opening balance, premiums of covers that ended or were corrected, what was paid, the
    closing balance.
    """
    return money.insurer_month(insurer, month)


@change(
    INSURER + "/paid",
    "An insurer was paid",
    bank_schemas.BankPaymentIn,
    bank_schemas.InsurerPaid,
    StepNotAllowed,
    AlreadyExists,
)
def post_insurer_paid(insurer: str, body: dict[str, Any]) -> dict[str, Any]:
    """Never more than is owed. Once for each `reference`: the same again changes nothing, another amount is refused."""
    return money.insurer_paid(insurer, Money.from_dict(body["amount"]), body["reference"], **why(body))


@change(
    '/payments/<pid("pay"):payment>/refunded-by-bank',
    "Refunds that are stuck were paid by hand",
    bank_schemas.BankPaymentIn,
    bank_schemas.RefundByBank,
    StepNotAllowed,
    AlreadyExists,
)
def post_refund_by_bank(payment: str, body: dict[str, Any]) -> dict[str, Any]:
    """All that is stuck of them, no more and no less. Once for each `reference`: the same again changes nothing."""
    return money.refund_by_bank(payment, Money.from_dict(body["amount"]), body["reference"], **why(body))


@change(
    "/bank/vat-paid",
    "Tax was paid",
    bank_schemas.BankPaymentIn,
    bank_schemas.BankPayment,
    StepNotAllowed,
    AlreadyExists,
)
def post_vat_paid(body: dict[str, Any]) -> dict[str, Any]:
    """Never more than is owed. Once for each `reference`: the same again changes nothing, another amount is refused."""
    return money.vat_paid(Money.from_dict(body["amount"]), body["reference"], **why(body))


@change(
    "/bank/provider-payouts",
    "The payment provider paid to our bank",
    bank_schemas.BankPaymentIn,
    bank_schemas.BankPayment,
    StepNotAllowed,
    AlreadyExists,
)
def post_provider_payout(body: dict[str, Any]) -> dict[str, Any]:
    """Never more than lies there by the books. Once for each `reference`, which is the provider's id of the payout."""
    return money.provider_paid_out(Money.from_dict(body["amount"]), body["reference"], **why(body))


@change(
    "/bank/provider-payouts/failed",
    "A payout of the payment provider came back",
    bank_schemas.BankPaymentIn,
    bank_schemas.BankPayment,
    StepNotAllowed,
    AlreadyExists,
)
def post_provider_payout_failed(body: dict[str, Any]) -> dict[str, Any]:
    """The amount and the `reference` under which the payout was posted. Once."""
    return money.provider_payout_failed(Money.from_dict(body["amount"]), body["reference"], **why(body))


@change(
    "/bank/provider-fees",
    "The payment provider took a fee of no single charge",
    bank_schemas.BankPaymentIn,
    bank_schemas.BankPayment,
    AlreadyExists,
)
def post_provider_fee(body: dict[str, Any]) -> dict[str, Any]:
    """For accounts, payouts or its fraud rules. Once for each `reference`, which is its id in the provider's balance."""
    return money.provider_fee(Money.from_dict(body["amount"]), body["reference"], **why(body))
