"""`flask --app wsgi operator ...`: payments, disputes, warnings of fraud, and what went through the bank."""

from collections.abc import Callable
from typing import Any

import click

from app.operator import money
from app.operator.commands import BY, change, command, insurer, sub
from payments.money import CURRENCIES, Money

payment = sub("payment", "Payments.")
dispute, warning = sub("dispute", "Disputes of payments."), sub("warning", "Early-fraud warnings of banks.")
bank = sub("bank", "Our own bank account, and our balance at the payment provider.")


def movement(work: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what went through the bank."""
    for option in (
        click.option("--reference", required=True, help="What it is called outside; each is posted once."),
        click.option("--currency", type=click.Choice(CURRENCIES), required=True),
        click.option("--amount", type=click.IntRange(1, 10**10), required=True, help="In minor units."),
    ):
        work = option(work)
    return work


def _money(amount: int, currency: str) -> Money:
    return Money.from_dict({"amount": amount, "currency": currency})


@change(payment, "retry")
@click.argument("payment_id")
def payment_retry(payment_id: str, reason: str) -> dict[str, Any]:
    """Try a payment again."""
    money.retry_payment(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": "retried"}


@change(payment, "refund")
@click.argument("payment_id")
@click.option("--amount", type=int, help="In minor units; all that is left when not given.")
def payment_refund(payment_id: str, amount: int | None, reason: str) -> dict[str, Any]:
    """Give money back to the driver."""
    given = money.refund_payment(payment_id, amount, by=BY, reason=reason)
    return {"payment": payment_id, "state": given.state}


@change(payment, "write-off")
@click.argument("payment_id")
def payment_write_off(payment_id: str, reason: str) -> dict[str, Any]:
    """Give up arrears; the driver stays barred from priced rentals until they pay."""
    given_up = money.write_off_payment(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": given_up.state}


@change(payment, "lift-bar")
@click.argument("payment_id")
def payment_lift_bar(payment_id: str, reason: str) -> dict[str, Any]:
    """Let a driver rent at a price again although what was written off was not paid."""
    found = money.lift_bar(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": found.state, "bar_lifted_at": found.bar_lifted_at}


@command(dispute, "list")
def dispute_list() -> list[dict[str, Any]]:
    """The newest fifty disputes."""
    return list(money.disputes({"limit": 50, "cursor": None, "state": None}).items)


@change(dispute, "charge-owner")
@click.argument("dispute_id")
def dispute_charge_owner(dispute_id: str, reason: str) -> dict[str, Any]:
    """The owner caused it, and bears their share should it be lost."""
    return money.shown(money.charge_owner(dispute_id, by=BY, reason=reason))


@command(warning, "list")
def warning_list() -> list[dict[str, Any]]:
    """The newest fifty early-fraud warnings nobody has looked at."""
    return list(money.warnings({"limit": 50, "cursor": None}).items)


@change(warning, "clear")
@click.argument("warning_id")
def warning_clear(warning_id: str, reason: str) -> dict[str, Any]:
    """It is no fraud, or dealt with: the driver unlocks priced rentals again."""
    return money.shown_warning(money.clear_warning(warning_id, by=BY, reason=reason))


@command(insurer, "account")
@click.argument("insurer_id")
@click.option("--month", required=True, help="YYYY-MM")
@click.option("--zone", default="UTC", show_default=True, help="On whose clocks a month begins.")
def insurer_month(insurer_id: str, month: str, zone: str) -> str:
    """What an insurer was owed before a month and after it, and what moved it, in minor units."""
    return _table(money.insurer_month(insurer_id, month, zone)["lines"])


def _table(lines: list[dict[str, Any]]) -> str:
    """In columns; of each amount its minor units."""
    columns = ("opening", "premiums", "paid", "closing")
    cells = [("currency", *columns)]
    cells += [(one["opening"]["currency"], *(str(one[name]["amount"]) for name in columns)) for one in lines]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, wide, strict=True)) for row in cells
    )


@change(insurer, "paid")
@click.argument("insurer_id")
@movement
def insurer_paid(insurer_id: str, amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """An insurer was paid, as the bank says; never more than it is owed."""
    return money.insurer_paid(insurer_id, _money(amount, currency), reference, by=BY, reason=reason)


@change(bank, "vat-paid")
@movement
def bank_vat_paid(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """Tax was paid; never more than is owed."""
    return money.vat_paid(_money(amount, currency), reference, by=BY, reason=reason)


@change(bank, "provider-payout")
@movement
def bank_provider_payout(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """The payment provider paid of our balance to our bank; never more than lies there by the books."""
    return money.provider_paid_out(_money(amount, currency), reference, by=BY, reason=reason)


@change(bank, "provider-payout-failed")
@movement
def bank_provider_payout_failed(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """A payout that was posted came back to the payment provider."""
    return money.provider_payout_failed(_money(amount, currency), reference, by=BY, reason=reason)


@change(bank, "provider-fee")
@movement
def bank_provider_fee(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """The payment provider took a fee of no single charge: for accounts, payouts, its fraud rules."""
    return money.provider_fee(_money(amount, currency), reference, by=BY, reason=reason)
