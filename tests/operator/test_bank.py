import contextlib
import json
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.billing import bank, insurer_account, ledger
from app.billing.insurer_account import Premium
from app.billing.ledger import Entry, Line
from app.coverage.models import InsurerRow
from app.kit import clock
from app.kit.db import new_id, release, session, transactional
from app.kit.errors import StepNotAllowed
from app.operator import money
from payments.money import Money
from tests.coverage import factories
from tests.operator.operators_desk import Desk

WHY = {"reason": "the bank's statement says so"}


def owing(amount: int, insurer: InsurerRow | None = None, currency: Any = "EUR") -> str:
    """An insurer that is owed a premium."""
    whose = (insurer or factories.insurer()).id
    premium = Premium(whose, new_id("cov"), 3, new_id("ren"), Money(amount, currency))
    transactional(insurer_account.owe)(premium)
    session.rollback()
    return whose


def pay(op: Desk, path: str, amount: int, reference: str, currency: str = "EUR") -> Any:
    session.rollback()
    body = {**WHY, "amount": {"amount": amount, "currency": currency}, "reference": reference}
    return op.call("POST", path, body)


def balance(account: str, subject: str | None = None, currency: str = "EUR") -> int:
    session.rollback()
    return ledger.balances(account, currency, subject).amount


def test_an_insurer_is_paid_once_for_each_reference(app: Flask, op: Desk) -> None:
    insurer, before = owing(5000), balance("bank")
    answers = [pay(op, f"/insurers/{insurer}/paid", 3000, f"SEPA {insurer}") for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[1].json == {
        "insurer": insurer,
        "reference": f"SEPA {insurer}",
        "amount": {"amount": 3000, "currency": "EUR"},
        "left": {"amount": 2000, "currency": "EUR"},
    }
    assert balance("bank") == before - 3000
    assert [act[1:] for act in op.acts()[:2] if act[2] == insurer] == [
        ("insurer paid", insurer, WHY["reason"])
    ]


def test_a_reference_that_was_copied_with_blanks_is_the_same(app: Flask, op: Desk) -> None:
    insurer = owing(5000)
    answers = [
        pay(op, f"/insurers/{insurer}/paid", 2000, one)
        for one in (f"SEPA {insurer}", f" SEPA  {insurer} ", f"SEPA {insurer}")
    ]
    assert [one.json["left"]["amount"] for one in answers] == [3000] * 3
    assert pay(op, f"/insurers/{insurer}/paid", 1, f"SEPA {insurer} ").status_code == 409


def test_another_amount_under_the_same_reference_is_refused(app: Flask, op: Desk) -> None:
    insurer, reference = owing(5000), uuid.uuid4().hex
    assert pay(op, f"/insurers/{insurer}/paid", 3000, reference).status_code == 200
    for whose, amount in ((insurer, 1000), (owing(5000), 3000)):
        answer = pay(op, f"/insurers/{whose}/paid", amount, reference)
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/already-exists")


def test_no_insurer_is_paid_more_than_it_is_owed(app: Flask, op: Desk, stranger: Desk) -> None:
    owing(9000)
    insurer = owing(5000)
    assert pay(op, f"/insurers/{insurer}/paid", 5000, "x", "GBP").status_code == 409
    answer = pay(op, f"/insurers/{insurer}/paid", 5001, uuid.uuid4().hex)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/step-not-allowed")
    assert "50.00 EUR" in answer.json["detail"]
    assert pay(op, f"/insurers/{insurer}/paid", 0, uuid.uuid4().hex).status_code == 422
    assert pay(op, f"/insurers/{new_id('ins')}/paid", 1, uuid.uuid4().hex).status_code == 404
    assert pay(stranger, f"/insurers/{insurer}/paid", 1, uuid.uuid4().hex).status_code == 403
    assert balance("insurer_payable", insurer) == -5000


def test_tax_and_the_providers_payouts_are_posted_up_to_what_stands_there(app: Flask, op: Desk) -> None:
    taken = (Line(ledger.STRIPE_CLEARING, Money(700, "GBP")), Line(ledger.VAT_PAYABLE, Money(-700, "GBP")))
    transactional(ledger.post)(Entry("capture", "test", new_id("tst"), taken))
    for path, account, sign in (
        ("/bank/vat-paid", "vat_payable", -1),
        ("/bank/provider-payouts", "stripe_clearing", 1),
    ):
        there = balance(account, currency="GBP") * sign
        assert pay(op, path, there + 1, uuid.uuid4().hex, "GBP").status_code == 409
        reference = uuid.uuid4().hex
        answers = [pay(op, path, there, reference, "GBP") for _ in range(2)]
        assert [one.json["left"]["amount"] for one in answers] == [0, 0]
        assert balance(account, currency="GBP") == 0


def test_fees_of_no_single_charge_and_payouts_that_come_back_are_posted_once(app: Flask, op: Desk) -> None:
    there, fees, payout = balance("stripe_clearing"), balance("processor_fees"), uuid.uuid4().hex
    for _ in range(2):
        assert pay(op, "/bank/provider-fees", 200, f"txn {payout}").json["left"]["amount"] == there - 200
    assert balance("processor_fees") == fees + 200
    assert pay(op, "/bank/provider-payouts/failed", 50, payout).status_code == 409
    taken = (
        Line(ledger.STRIPE_CLEARING, Money(10**6, "EUR")),
        Line(ledger.VAT_PAYABLE, Money(-(10**6), "EUR")),
    )
    transactional(ledger.post)(Entry("capture", "test", new_id("tst"), taken))
    there, our_bank = balance("stripe_clearing"), balance("bank")
    assert pay(op, "/bank/provider-payouts", 50, payout).status_code == 200
    assert pay(op, "/bank/provider-payouts/failed", 51, payout).status_code == 409
    for _ in range(2):
        assert pay(op, "/bank/provider-payouts/failed", 50, payout).json["left"]["amount"] == there
    assert balance("bank") == our_bank


def test_the_command_line_posts_them_too(app: Flask) -> None:
    session.rollback()
    run, reference = app.test_cli_runner().invoke, uuid.uuid4().hex
    how = ["--currency", "EUR", "--amount", "30", "--reason", "January"]
    fee = run(args=["operator", "bank", "provider-fee", *how, "--reference", reference])
    assert json.loads(fee.output)["amount"] == {"amount": 30, "currency": "EUR"}
    refused = run(args=["operator", "bank", "provider-payout-failed", *how, "--reference", reference])
    assert (refused.exit_code, "No payout" in refused.output) == (1, True)


def test_the_account_of_a_month_says_what_moved_it(app: Flask, op: Desk) -> None:
    whose = factories.insurer()
    insurer = owing(4000, whose)
    assert pay(op, f"/insurers/{insurer}/paid", 1000, uuid.uuid4().hex).status_code == 200
    this = f"{clock.now():%Y-%m}"
    clock.forward(timedelta(days=32))
    following = f"{clock.now():%Y-%m}"
    owing(150, whose)
    owing(900, whose, "CHF")
    months = [account(op, insurer, month) for month in (this, following)]
    assert months[0] == [("EUR", 0, 4000, 1000, 3000)]
    assert months[1] == [("CHF", 0, 900, 0, 900), ("EUR", 3000, 150, 0, 3150)]


def account(op: Desk, insurer: str, month: str) -> list[tuple[Any, ...]]:
    lines = op.get(f"/insurers/{insurer}/accounts/{month}")["lines"]
    names = ("opening", "premiums", "paid", "closing")
    return [(one["opening"]["currency"], *(one[name]["amount"] for name in names)) for one in lines]


@pytest.mark.parametrize("month", ["2027-13", "2027-1x"])
def test_a_month_that_is_none_has_no_account(app: Flask, op: Desk, month: str) -> None:
    assert op.call("GET", f"/insurers/{owing(100)}/accounts/{month}").status_code == 404


def test_the_command_line_pays_and_prints_the_account_as_a_table(app: Flask) -> None:
    insurer = owing(5000)
    run = app.test_cli_runner().invoke
    paid = ["operator", "insurer", "paid", insurer, "--currency", "EUR", "--reference", insurer]
    made = run(args=[*paid, "--amount", "1200", "--reason", "January"])
    assert json.loads(made.output)["left"] == {"amount": 3800, "currency": "EUR"}
    refused = run(args=[*paid[:-1], "another", "--amount", "3801", "--reason", "January"])
    assert (refused.exit_code, "No more than 38.00 EUR" in refused.output) == (1, True)
    shown = run(args=["operator", "insurer", "account", insurer, "--month", f"{clock.now():%Y-%m}"])
    assert [line.split() for line in shown.output.splitlines()] == [
        ["currency", "opening", "premiums", "paid", "closing"],
        ["EUR", "0", "5000", "1200", "3800"],
    ]


def test_two_operators_at_once_do_not_pay_one_debt_twice(app: Flask) -> None:
    insurer = owing(5000)

    def pays() -> None:
        with app.app_context():
            try:
                money.insurer_paid(insurer, Money(4000, "EUR"), new_id("ref"), by="test", reason="January")
            finally:
                release()

    @transactional
    def first(pool: ThreadPoolExecutor) -> Future[None]:
        assert bank.insurer_paid(insurer, Money(4000, "EUR"), new_id("ref"))
        second = pool.submit(pays)
        with contextlib.suppress(TimeoutError):
            second.result(0.2)  # it waits, or has not seen what is not committed
        return second

    with ThreadPoolExecutor(1) as pool:
        second = first(pool)
        with pytest.raises(StepNotAllowed):
            second.result()
    assert balance("insurer_payable", insurer) == -1000
