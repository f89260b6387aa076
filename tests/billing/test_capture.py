from datetime import UTC, datetime, timedelta

import pytest

from app import facts
from app.billing import capture, hold, means
from app.billing.models import PaymentCommand
from app.kit.db import release, session, transactional
from tests.billing.desk import ALWAYS_3DS, POOR, TURNCOAT, VISA, Desk, eur

AT = datetime(2027, 3, 1, tzinfo=UTC)


def test_the_end_takes_what_is_owed_and_frees_the_rest(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 6000) == []
    row = desk.payment(rental)
    assert (row.state, row.captured, row.owed) == ("captured", 6000, 6000)
    (intent,) = desk.double_intents(rental)
    assert (intent["status"], intent["amount_received"], intent["amount_capturable"]) == (
        "succeeded",
        6000,
        0,
    )
    assert desk.facts(rental) == ["PaymentHeld", "PaymentSucceeded"]
    books = desk.books(rental)
    assert sum(books.values()) == 0
    assert (books["owner_payable"], books["premium_reserve"]) == (-4500, -600)
    assert (books["platform_revenue"], books["vat_payable"]) == (-750, -150)
    assert books["processor_fees"] > 0
    assert books["stripe_clearing"] == 6000 - books["processor_fees"]


def test_the_reaction_run_twice_takes_once(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 6000) == []
    assert desk.end(rental, 6000) == []
    assert desk.payment(rental).captured == 6000
    assert desk.facts(rental).count("PaymentSucceeded") == 1


def test_a_capture_whose_answer_is_lost_takes_once(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.double.post("fault", next="drop_after_commit", path="/capture")
    assert len(desk.end(rental, 6000)) == 1
    assert desk.standing(rental) == "capturing"
    assert desk.jobs() == []
    assert desk.payment(rental).captured == 6000
    assert desk.facts(rental).count("PaymentSucceeded") == 1


@pytest.mark.parametrize("answer", ["401", "403"])
def test_a_key_that_is_not_good_delays_a_capture_and_ends_none(desk: Desk, answer: str) -> None:
    rental = desk.held(9000)
    desk.double.post("fault", next=answer, path="/capture")
    assert len(desk.end(rental, 6000)) == 1
    assert desk.standing(rental) == "capturing"
    assert desk.jobs() == []
    assert desk.payment(rental).captured == 6000


def test_an_end_that_costs_nothing_frees_all(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 0) == []
    assert desk.standing(rental) == "released"
    assert desk.books(rental) == {}
    assert desk.facts(rental) == ["PaymentHeld", "PaymentReleased"]


def test_more_than_was_held_is_charged_besides(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 12_345) == []
    rent, extras = desk.payments(rental)
    assert (rent.state, rent.captured) == ("captured", 9000)
    assert (extras.purpose, extras.state, extras.captured) == ("extras", "captured", 3345)
    assert sum(desk.books(rental).values()) == 0
    assert len(desk.double_intents(rental)) == 2


def test_what_cannot_be_charged_is_owed_and_blocks_until_it_is_paid(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    desk.put_card(rental, desk.save_card(who[0].id, POOR))
    assert desk.end(rental, 12_000) == []
    rent, extras = desk.payments(rental)
    assert (rent.state, extras.state, extras.failure_code) == ("captured", "arrears", "insufficient_funds")
    assert means.arrears(who[0].id) == eur(3000)
    good = desk.save_card(who[0].id, VISA)
    hold.retry(extras.id, good, who[0].id)
    assert desk.jobs() == []
    assert means.arrears(who[0].id) is None
    assert sum(p.captured for p in desk.payments(rental)) == 12_000
    assert desk.facts(rental)[-1] == "PaymentSucceeded"


def test_a_soft_refusal_is_tried_again_after_one_three_five_and_seven_days(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(9000, who=who)
    desk.jobs()
    assert desk.end(rental, 5000) == []
    row = desk.payment(rental)
    assert row.state == "arrears"
    for days in (1, 3, 5, 7):
        assert desk.due(row.id) == []
        desk.forward(timedelta(days=days))
        assert desk.due(row.id) == ["dunning"]
        assert desk.jobs() == []
        assert desk.standing(rental) == "arrears"
    desk.forward(timedelta(days=30))
    assert desk.due(row.id) == []
    assert means.arrears(who[0].id) == eur(5000)


def test_a_late_confirmation_of_a_charge_pays_what_was_owed(desk: Desk) -> None:
    who = desk.driver(ALWAYS_3DS)
    rental = desk.plan(9000, who=who)
    desk.jobs()
    assert desk.end(rental, 5000) == []
    assert desk.standing(rental) == "action_required"
    assert means.arrears(who[0].id) == eur(5000)
    desk.confirm(rental, card=ALWAYS_3DS, three_ds="ok")
    desk.deliver(desk.event(rental, "payment_intent.succeeded"))
    assert desk.jobs() == []
    assert desk.payment(rental).captured == 5000
    assert means.arrears(who[0].id) is None


def test_cancelled_in_time_frees_all(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "released"
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]


def test_cancelled_late_takes_the_share_that_is_owed(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.cancel(rental, owed=4500) == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", 4500)


def test_cancelled_before_anything_was_held_asks_nothing_of_the_provider(desk: Desk) -> None:
    rental = desk.plan(hours=72)
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "released"
    assert desk.double_intents(rental) == []
    assert desk.facts(rental) == []


def test_cancelled_before_the_worker_came_to_the_hold_holds_nothing(desk: Desk) -> None:
    rental = desk.plan()
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "released"
    assert desk.double_intents(rental) == []


def test_cancelled_while_the_outcome_of_the_hold_is_unknown_frees_it(desk: Desk) -> None:
    rental = desk.plan()
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    desk.jobs()
    assert desk.cancel(rental) == []
    assert desk.jobs() == []
    assert desk.standing(rental) == "released"
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]


def test_a_late_cancellation_of_what_could_not_be_held_is_charged(desk: Desk) -> None:
    rental = desk.plan(number=TURNCOAT, on_session=True, hours=5)
    assert desk.jobs() == []
    assert desk.standing(rental) == "action_required"
    assert desk.cancel(rental, owed=4500) == []
    assert desk.standing(rental) == "arrears"


@pytest.mark.parametrize("kind", [facts.RentalDeclined, facts.RentalWithdrawn, facts.RentalLapsed])
def test_a_rental_that_never_came_about_frees_all(desk: Desk, kind: type) -> None:
    rental = desk.held(9000)
    fact = kind(rental, "per_1") if kind is facts.RentalDeclined else kind(rental)
    transactional(capture.on_dropped)(fact)
    assert desk.jobs() == []
    assert desk.standing(rental) == "released"


def test_a_no_show_owes_its_share(desk: Desk) -> None:
    rental = desk.held(9000)
    transactional(capture.on_no_show)(facts.RentalNoShow(rental, 9000))
    assert desk.jobs() == []
    assert desk.payment(rental).captured == 9000


def test_a_hold_lost_before_the_end_is_charged(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.forward(timedelta(days=8))
    assert desk.end(rental, 7000) == []
    row = desk.payment(rental)
    assert (row.state, row.captured) == ("captured", 7000)
    assert sorted(one["status"] for one in desk.double_intents(rental)) == ["canceled", "succeeded"]


def test_a_corrected_end_charges_or_refunds_the_difference(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 6000) == []
    capture.settle_end(rental, eur(5000))
    assert desk.jobs() == []
    assert (desk.payment(rental).captured, desk.payment(rental).refunded) == (6000, 1000)
    capture.settle_end(rental, eur(6500))
    assert desk.jobs() == []
    assert sum(p.captured - p.refunded for p in desk.payments(rental)) == 6500
    assert sum(desk.books(rental).values()) == 0


def test_each_intent_is_captured_by_one_command_at_most(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 6000)
    rows = session.query(PaymentCommand).filter_by(payment_id=desk.payment(rental).id, kind="capture").all()
    assert len(rows) == 1


def test_what_the_driver_tries_meanwhile_uses_up_none_of_our_tries(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(9000, who=who)
    desk.jobs()
    assert desk.end(rental, 5000) == []
    row = desk.payment(rental)
    for _ in range(5):
        hold.retry(row.id, None, who[0].id)
        release()
        assert desk.jobs() == []
    assert desk.standing(rental) == "arrears"
    desk.forward(timedelta(days=1))
    assert desk.due(row.id) == ["dunning"]
    assert desk.jobs() == []
    desk.forward(timedelta(days=3))
    assert desk.due(row.id) == ["dunning"]
