"""What a hearing came to is charged once, for the owner in full, and apart from the rental's price."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.billing import capture, hold, ledger, means
from app.billing.models import Payment
from app.claims import close, withdraw
from app.claims.models import ChargeRequest
from app.kit.db import release, session, transactional
from app.kit.errors import StepNotAllowed
from app.kit.facts import FactRow
from app.rentals import receipts
from payments.money import Money
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk
from tests.claims.hearing import DAY, HOUR, Hearing, build


def closed(hearing: Hearing, amount: int = 12000) -> ChargeRequest:
    row = hearing.answer(hearing.ask(amount=amount), accept=True)
    hearing.forward(72 * HOUR)
    hearing.due(row)
    return hearing.now(row)


def payment(row: ChargeRequest) -> Payment:
    session.expire_all()
    return session.get_one(Payment, row.payment_id)


def failed(rental: str) -> list[str]:
    rows = session.scalars(select(FactRow).where(FactRow.kind == "PaymentFailed"))
    return [row.data["code"] for row in rows if row.data["rental"] == rental]


@pytest.fixture
def case(desk: Desk) -> Hearing:
    """Max has a card; the rental was free."""
    made = build()
    desk.save_card(made.max)
    return made


def test_it_is_charged_without_the_driver_and_the_owner_has_it_all(desk: Desk, case: Hearing) -> None:
    row = closed(case)
    assert desk.jobs() == []
    paid = payment(row)
    assert (paid.state, paid.purpose, paid.captured, paid.payee) == (
        "captured",
        "charge_request",
        12000,
        case.olga,
    )
    assert [one["amount_received"] for one in desk.double_intents(case.scene.rental_id)] == [12000]
    has = ledger.remaining(paid)
    assert (has.owner.amount, has.insurer.amount, has.platform.amount, has.vat.amount) == (12000, 0, 0, 0)
    assert sum(ledger.trial_balance()["EUR"].values()) == 0


def test_nothing_reaches_the_provider_before_it_closes(desk: Desk, case: Hearing) -> None:
    row = case.appeal(case.decide(case.contested(), 9000))
    case.forward(30 * DAY)
    case.due(row)
    assert desk.jobs() == []
    assert desk.double_intents(case.scene.rental_id) == []
    row = case.decide(row, 2000, by=case.otto)
    assert desk.jobs() == []
    assert [one["amount_received"] for one in desk.double_intents(case.scene.rental_id)] == [2000]
    assert payment(row).refunded == 0


def test_the_receipt_and_the_standing_of_the_rental_are_apart_from_it(desk: Desk, case: Hearing) -> None:
    desk.save_card(case.max, POOR)
    row = closed(case)
    desk.jobs()
    assert payment(row).state == "arrears"
    assert hold.standing(case.scene.rental_id) == "none"
    seen = receipts.of(case.scene.rental_id, case.olga)
    assert (seen["paid"]["amount"], seen["total"]["amount"]) == (0, 0)
    assert seen["charged_after"] == [
        {"payment": row.payment_id, "amount": {"amount": 12000, "currency": "EUR"}, "state": "arrears"}
    ]


def test_a_late_record_of_the_box_shares_out_the_price_and_leaves_the_hearing_alone(desk: Desk) -> None:
    case = build()
    card = desk.save_card(case.max)
    plan = transactional(hold.plan)
    plan(
        rental=case.scene.rental_id,
        driver=case.max,
        payee=case.olga,
        community=None,
        amount=Money(5000, "EUR"),
        starts_at=datetime.now(UTC),  # noqa: TID251
        card=card,
        on_session=False,
    )
    desk.jobs()
    desk.end(case.scene.rental_id, 3000)
    row = closed(case)
    desk.jobs()
    capture.settle_end(case.scene.rental_id, Money(4000, "EUR"))
    desk.jobs()
    taken = {one.purpose: (one.owed, one.captured) for one in desk.payments(case.scene.rental_id)}
    assert taken == {"rent": (3000, 3000), "extras": (1000, 1000), "charge_request": (12000, 12000)}
    assert payment(row).refunded == 0


def test_a_refusal_of_the_bank_is_arrears_and_dunned_and_a_new_card_pays(desk: Desk, case: Hearing) -> None:
    desk.save_card(case.max, POOR)
    row = closed(case)
    desk.jobs()
    assert payment(row).state == "arrears"
    assert means.arrears(case.max) == Money(12000, "EUR")
    desk.forward(DAY)
    assert row.payment_id is not None
    assert desk.due(row.payment_id) == ["dunning"]
    desk.jobs()
    assert payment(row).state == "arrears"
    hold.retry(payment(row).id, desk.save_card(case.max, VISA), case.max)
    desk.jobs()
    assert (payment(row).state, means.arrears(case.max)) == ("captured", None)


def test_a_bank_that_asks_the_driver_is_answered_like_for_any_payment(desk: Desk, case: Hearing) -> None:
    desk.save_card(case.max, ALWAYS_3DS)
    row = closed(case)
    desk.jobs()
    assert payment(row).state == "action_required"
    desk.confirm(case.scene.rental_id, three_ds="ok")
    desk.deliver(desk.event(case.scene.rental_id, "payment_intent.succeeded"))
    desk.jobs()
    assert payment(row).state == "captured"


def test_a_driver_without_a_card_is_in_arrears_is_told_and_pays_with_a_new_one(desk: Desk) -> None:
    case = build()
    row = closed(case)
    assert desk.jobs() == []
    owes = payment(row)
    assert (owes.state, owes.card_id, owes.failure_code) == ("arrears", None, "card_needed")
    assert failed(case.scene.rental_id) == ["card_needed"]
    assert means.arrears(case.max) == Money(12000, "EUR")
    hold.retry(owes.id, desk.save_card(case.max), case.max)
    desk.jobs()
    assert payment(row).state == "captured"


def at_once(app: Flask, *works: Callable[[], Any]) -> None:
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait(10)
            work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)


def test_two_due_runners_at_once_charge_it_once(desk: Desk, case: Hearing) -> None:
    row = case.answer(case.ask(), accept=True)
    case.forward(72 * HOUR)
    request, rental = row.id, case.scene.rental_id
    release()
    at_once(desk.app, *[lambda: close.answer_window_over(request)] * 4)
    assert desk.jobs() == []
    assert [one.purpose for one in desk.payments(rental)] == ["charge_request"]
    assert [one["amount_received"] for one in desk.double_intents(rental)] == [12000]


def test_a_withdrawal_at_the_last_moment_and_the_charge_never_both_happen(desk: Desk, case: Hearing) -> None:
    row = case.answer(case.ask(), accept=True)
    case.forward(72 * HOUR)
    request, rental, olga = row.id, case.scene.rental_id, case.olga
    release()
    refused: list[Exception] = []

    def take_back() -> None:
        try:
            withdraw.withdraw(olga, request)
        except StepNotAllowed as no:
            refused.append(no)

    at_once(desk.app, take_back, lambda: close.answer_window_over(request))
    desk.jobs()
    state = case.now(row).state
    assert (state, len(desk.double_intents(rental)), len(refused)) in (("withdrawn", 0, 0), ("closed", 1, 1))
