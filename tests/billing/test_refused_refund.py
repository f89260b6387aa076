"""A refund that is refused, or sent back by a bank, stays promised: it is given once, and nobody else gives it besides."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.billing import (
    commands,
    compare,
    reconcile,
    refund,
    refund_by_bank,
    refused,
    refused_refund,
    retry,
    statement,
)
from app.kit import clock
from app.kit.db import release
from app.kit.errors import AlreadyExists, StepNotAllowed, Validation
from tests.billing.desk import Desk, eur
from tests.billing.test_refused_step import later, refuse, steps


def rental_with_refused(desk: Desk, times: int = 1, amount: int = 3000) -> str:
    """A rental of which 80.00 are taken, and an operator's refund that the provider refuses."""
    rental = desk.held(9000)
    desk.end(rental, 8000)
    refuse(desk, "/v1/refunds", times)
    refund.refund(desk.payment(rental).id, amount, "operator")
    release()
    assert desk.jobs() == []
    return rental


def stuck(desk: Desk) -> str:
    rental = rental_with_refused(desk, 1 + len(refused.AGAIN))
    for after in refused.AGAIN:
        assert later(desk, rental, after) == ["refund_again"]
        assert desk.jobs() == []
    return rental


def given(desk: Desk, rental: str) -> int:
    """By the provider."""
    charge = desk.payment(rental).charge_id
    charges = desk.there("charge")
    return int(next(one["amount_refunded"] for one in charges if one["id"] == charge))


def operator_tries(desk: Desk, rental: str) -> bool:
    found = retry.stuck(desk.payment(rental).id)
    release()
    assert desk.jobs() == []
    return found is not None


def test_a_refused_refund_is_tried_again_under_a_new_key_and_given_once(desk: Desk) -> None:
    rental = rental_with_refused(desk)
    assert (desk.standing(rental), steps(desk, rental, "refund")) == ("captured", ["waiting"])
    assert later(desk, rental, refused.AGAIN[0]) == ["refund_again"]
    assert desk.jobs() == []
    assert steps(desk, rental, "refund") == ["failed", "done"]
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)
    assert desk.facts(rental).count("PaymentRefunded") == 1
    assert sum(desk.books(rental).values()) == 0
    assert later(desk, rental, timedelta(days=2)) == []


def test_a_next_try_that_is_due_twice_is_made_once(desk: Desk) -> None:
    rental = rental_with_refused(desk)
    (waiting,) = (one.id for one in desk.commands(desk.payment(rental).id) if one.kind == "refund")
    for _ in range(2):
        refused_refund.due(waiting)
        release()
    assert desk.jobs() == []
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)


def test_what_waits_is_promised_and_no_part_of_the_remainder(desk: Desk) -> None:
    rental = rental_with_refused(desk)
    with pytest.raises(Validation):
        refund.refund(desk.payment(rental).id, 5001, "operator")
    release()
    refund.refund(desk.payment(rental).id, 5000, "operator")
    release()
    assert desk.jobs() == []
    later(desk, rental, refused.AGAIN[0])
    assert desk.jobs() == []
    assert (desk.standing(rental), given(desk, rental)) == ("refunded", 8000)


def test_what_is_given_back_by_itself_is_refused_and_news_ask_for_no_second(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    refuse(desk, "/v1/refunds")
    assert desk.end(rental, 6000) == []
    assert steps(desk, rental, "refund") == ["waiting"]
    assert desk.tell("payment_intent.succeeded", str(desk.payment(rental).intent_id)) == []
    assert steps(desk, rental, "refund") == ["waiting"]
    assert later(desk, rental, refused.AGAIN[0]) == ["refund_again"]
    assert desk.jobs() == []
    assert (desk.payment(rental).refunded, given(desk, rental)) == (2000, 2000)


def test_a_refusal_holds_up_no_other_refund(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    refuse(desk, "/v1/refunds")
    for amount in (3000, 1000):
        refund.refund(desk.payment(rental).id, amount, "operator")
        release()
    assert desk.jobs() == []
    assert sorted(steps(desk, rental, "refund")) == ["done", "waiting"]


def test_after_the_last_try_it_is_stuck_until_an_operator_tries_again(desk: Desk) -> None:
    rental = stuck(desk)
    assert steps(desk, rental, "refund") == ["failed"] * 4 + ["stuck"]
    assert later(desk, rental, timedelta(days=1)) == []
    assert operator_tries(desk, rental)
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)
    assert not operator_tries(desk, rental)


def test_refused_by_the_operators_try_too_it_is_stuck_again(desk: Desk) -> None:
    rental = stuck(desk)
    refuse(desk, "/v1/refunds")
    assert operator_tries(desk, rental)
    assert steps(desk, rental, "refund")[-1] == "stuck"
    assert operator_tries(desk, rental)
    assert given(desk, rental) == 3000


def test_while_a_bank_has_the_money_nothing_is_asked_and_lost_it_is_not_given_besides(desk: Desk) -> None:
    rental = rental_with_refused(desk)
    dispute = desk.dispute(rental)
    calls = desk.calls()
    assert later(desk, rental, refused.AGAIN[0]) == ["refund_again"]
    assert desk.jobs() == []
    assert (steps(desk, rental, "refund"), desk.calls()) == (["waiting"], calls)
    desk.decide(dispute, "lost")
    assert later(desk, rental, refused.AGAIN[-1]) == ["refund_again"]
    assert desk.jobs() == []
    assert (steps(desk, rental, "refund"), given(desk, rental)) == (["failed"], 0)


def test_while_a_bank_has_the_money_what_is_stuck_stays_promised(desk: Desk) -> None:
    rental = stuck(desk)
    dispute = desk.dispute(rental)
    assert not operator_tries(desk, rental)
    with pytest.raises(StepNotAllowed):
        refund_by_bank.refund_by_bank(desk.payment(rental).id, eur(3000), f"SEPA {rental}")
    release()
    assert steps(desk, rental, "refund")[-1] == "stuck"
    desk.decide(dispute, "won")
    assert operator_tries(desk, rental)
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)


def test_what_the_bank_sent_back_waits_for_an_operator_and_is_given_once(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    payment = desk.payment(rental).id
    refund.refund(payment, 3000, "operator")
    release()
    assert desk.jobs() == []
    made = commands.door().refunds_of(str(desk.payment(rental).intent_id))[0].id
    desk.double.post("refunds/fail", refund=made)
    assert desk.tell("refund.failed", made) == []
    assert (desk.payment(rental).refunded, steps(desk, rental, "refund")) == (0, ["stuck"])
    assert sum(desk.books(rental).values()) == 0
    with pytest.raises(Validation):
        refund.refund(payment, 5001, "operator")
    assert operator_tries(desk, rental)
    again = {
        **desk.events()[-1],
        "id": f"evt_{rental}",
        "type": "refund.failed",
        "data": {"object": {"id": made}},
    }
    assert desk.deliver(again).status_code == 200
    assert desk.jobs() == []
    assert steps(desk, rental, "refund") == ["failed", "done"]
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)


def test_sent_back_before_we_knew_that_it_was_given_it_waits_as_well(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    refund.refund(desk.payment(rental).id, 3000, "operator")
    release()
    desk.double.post("fault", next="drop_after_commit", path="/v1/refunds")
    assert len(desk.jobs()) == 1
    made = commands.door().refunds_of(str(desk.payment(rental).intent_id))[0].id
    desk.double.post("refunds/fail", refund=made)
    assert desk.tell("refund.failed", made) == []
    assert steps(desk, rental, "refund") == ["stuck"]
    assert (desk.payment(rental).refunded, given(desk, rental)) == (0, 0)
    assert operator_tries(desk, rental)
    assert (desk.payment(rental).refunded, given(desk, rental)) == (3000, 3000)


def test_the_comparison_takes_what_waits_for_no_difference(desk: Desk) -> None:
    rental = rental_with_refused(desk)
    mine = {one["id"] for one in desk.double_intents(rental)} | {desk.payment(rental).id}
    assert [one for one in reconcile.run() if one.subject in mine and not one.mended] == []


def test_what_is_stuck_and_paid_by_hand_is_in_the_books_and_waits_no_more(desk: Desk) -> None:
    rental = stuck(desk)
    row = desk.payment(rental)
    reference = f"SEPA {rental}"
    for amount in (2999, 3001):
        with pytest.raises(StepNotAllowed):
            refund_by_bank.refund_by_bank(row.id, eur(amount), reference)
    assert [refund_by_bank.refund_by_bank(row.id, eur(3000), reference) for _ in range(2)] == [True, False]
    release()
    with pytest.raises(AlreadyExists):
        refund_by_bank.refund_by_bank(row.id, eur(1), reference)
    release()
    books = desk.books(rental)
    assert (sum(books.values()), books["bank"], books["owner_payable"]) == (0, -3000, -3750)
    assert (desk.payment(rental).refunded, given(desk, rental), desk.standing(rental)) == (
        3000,
        0,
        "captured",
    )
    assert desk.facts(rental)[-1] == "PaymentRefunded"
    assert not operator_tries(desk, rental)
    assert [one for one in compare.differences(clock.now()) if one.subject == row.id] == []
    (line,) = [
        one
        for one in statement.of(row.person_id, f"{clock.now():%Y-%m}", "UTC")["payments"]
        if one["kind"] == "refund"
    ]
    assert line["amount"]["amount"] == -3000


def test_two_who_pay_by_hand_at_once_are_one(desk: Desk) -> None:
    rental = stuck(desk)
    payment = desk.payment(rental).id

    def pay(number: int) -> bool:
        with desk.app.app_context():
            try:
                return refund_by_bank.refund_by_bank(payment, eur(3000), f"{rental} {number}")
            except StepNotAllowed:
                return False
            finally:
                release()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(pay, range(4))) == [False, False, False, True]
    assert desk.payment(rental).refunded == 3000


@pytest.mark.parametrize(("amount", "sent"), [(3000, 3750), (8000, 0)])
def test_the_owner_is_not_sent_what_is_promised_to_the_driver(desk: Desk, amount: int, sent: int) -> None:
    desk.owner()
    rental = desk.captured(8000)
    refuse(desk, "/v1/refunds", 1 + len(refused.AGAIN))
    refund.refund(desk.payment(rental).id, amount, "operator")
    release()
    assert desk.jobs() == []
    for after in refused.AGAIN:
        later(desk, rental, after)
        assert desk.jobs() == []
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).state, desk.transfer(rental).amount) == ("settled", sent)
    assert operator_tries(desk, rental)
    assert (given(desk, rental), desk.transfer(rental).reversed) == (amount, 0)
    assert "owner_payable" not in desk.books(rental)


def test_what_is_promised_stands_in_the_books_until_it_is_given(desk: Desk) -> None:
    rental = desk.captured(8000)
    payment = desk.payment(rental).id
    desk.double.post("fault", next="400", path="/v1/refunds")
    refund.refund(payment, 1500, "operator")
    assert desk.books(rental)["refund_payable"] == -1500
    desk.jobs()  # refused, to be tried again
    assert desk.books(rental)["refund_payable"] == -1500
    waiting = [one.id for one in desk.commands(payment) if one.state == "waiting"]
    desk.forward(timedelta(minutes=11))
    for one in waiting:
        desk.due(one)
    desk.jobs()
    assert desk.payment(rental).refunded == 1500
    assert not {"refund_payable", "refund_receivable"} & desk.books(rental).keys()
