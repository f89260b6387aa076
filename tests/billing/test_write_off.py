from collections.abc import Callable
from datetime import timedelta

import pytest

from app.billing import arrears, capture, hold, ledger, means, reconcile, statement, write_off
from app.billing.models import Payment
from app.billing.states import State
from app.kit import clock
from app.kit.db import release, session
from app.kit.errors import NotFound, StepNotAllowed
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur


def in_arrears(desk: Desk, number: str = POOR, owed: int = 5000) -> Payment:
    """A rental that is over, of a driver whose bank gives nothing."""
    rental = desk.plan(9000, who=desk.driver(number))
    desk.jobs()
    assert desk.end(rental, owed) == []
    return desk.payment(rental)


def given_up(desk: Desk, number: str = POOR) -> Payment:
    row = in_arrears(desk, number)
    write_off.write_off(row.id)
    assert desk.jobs() == []
    return desk.payment(row.rental_id)


def pay(desk: Desk, row: Payment, number: str = VISA) -> Payment:
    hold.retry(row.id, desk.save_card(row.person_id, number), row.person_id)
    assert desk.jobs() == []
    return desk.payment(row.rental_id)


def kinds(row: Payment) -> list[str]:
    release()
    found = [entry.kind for entry, _ in ledger.of_rental(row.rental_id)]
    release()
    return [kind for kind in found if kind != "fee"]


def test_arrears_are_a_claim_and_nobodys_earnings(desk: Desk) -> None:
    before = desk.owes(desk.payee)
    row = in_arrears(desk)
    assert desk.books(row.rental_id) == {"member_receivable": 5000, "uncollected_payable": -5000}
    assert desk.owes(desk.payee) == before


def test_paid_arrears_are_a_claim_no_longer_and_earned_like_any_payment(desk: Desk) -> None:
    row = pay(desk, in_arrears(desk))
    books = desk.books(row.rental_id)
    assert not {"member_receivable", "uncollected_payable", "bad_debt"} & books.keys()
    assert books["owner_payable"] == -3750
    assert kinds(row) == ["arrears", "arrears_paid", "capture"]


def test_a_claim_follows_what_is_owed(desk: Desk) -> None:
    row = in_arrears(desk)
    capture.settle_end(row.rental_id, eur(4000))
    assert desk.books(row.rental_id)["member_receivable"] == 4000
    capture.settle_end(row.rental_id, eur(0))
    assert (desk.payment(row.rental_id).state, desk.books(row.rental_id)) == ("released", {})
    assert kinds(row) == ["arrears", "arrears", "arrears_void"]


def test_arrears_given_up_cost_nobody_and_are_tried_no_more(desk: Desk) -> None:
    row = given_up(desk)
    assert (row.state, row.intent_id, row.receivable) == ("written_off", None, 0)
    assert desk.books(row.rental_id) == {}
    assert kinds(row) == ["arrears", "write_off"]
    desk.forward(timedelta(days=30))
    assert desk.due(row.id) == []
    assert desk.facts(row.rental_id)[-1] == "PaymentWrittenOff"


def test_who_was_only_asked_to_confirm_is_written_off_with_a_claim_too(desk: Desk) -> None:
    row = given_up(desk, ALWAYS_3DS)
    assert row.state == "written_off"
    assert kinds(row) == ["arrears", "write_off"]
    assert [one["status"] for one in desk.double_intents(row.rental_id)] == ["canceled"] * len(
        desk.double_intents(row.rental_id)
    )


def test_money_that_got_through_before_the_intent_was_cancelled_is_a_payment(desk: Desk) -> None:
    row = in_arrears(desk, ALWAYS_3DS)
    write_off.write_off(row.id)
    desk.confirm(row.rental_id, card=ALWAYS_3DS, three_ds="ok")
    assert desk.jobs() == []
    row = desk.payment(row.rental_id)
    assert (row.state, row.captured, row.receivable) == ("captured", 5000, 0)
    assert kinds(row) == ["arrears", "write_off", "write_off_reversed", "arrears_paid", "capture"]


def test_the_driver_stays_barred_until_they_pay(desk: Desk) -> None:
    row = given_up(desk)
    assert means.arrears(row.person_id) == eur(5000)
    assert pay(desk, row).state == "captured"
    assert means.arrears(row.person_id) is None


@pytest.mark.parametrize("begun", [in_arrears, given_up])
def test_while_a_new_try_is_under_way_the_driver_stays_barred(
    desk: Desk, begun: Callable[[Desk], Payment]
) -> None:
    row = begun(desk)
    hold.retry(row.id, desk.save_card(row.person_id), row.person_id)
    assert desk.payment(row.rental_id).state == "capturing"
    assert means.arrears(row.person_id) == eur(5000)


def test_a_try_that_the_driver_leaves_unconfirmed_brings_no_lifted_bar_back(desk: Desk) -> None:
    row = given_up(desk)
    write_off.lift_bar(row.id)
    assert pay(desk, row, ALWAYS_3DS).state == "action_required"
    assert means.arrears(row.person_id) is None


def test_paying_after_all_takes_the_write_off_back(desk: Desk) -> None:
    row = pay(desk, given_up(desk))
    assert (row.captured, row.written_off_at) == (5000, None)
    assert kinds(row) == ["arrears", "write_off", "write_off_reversed", "arrears_paid", "capture"]
    assert desk.books(row.rental_id)["owner_payable"] == -3750
    assert ledger.written_off(row) == 0


def test_another_refusal_leaves_it_written_off_and_undunned(desk: Desk) -> None:
    row = pay(desk, given_up(desk), POOR)
    assert (row.state, kinds(row)) == ("written_off", ["arrears", "write_off"])
    desk.forward(timedelta(days=30))
    assert desk.due(row.id) == []


def test_what_was_tried_again_in_vain_is_given_up_once_in_the_books(desk: Desk) -> None:
    row = pay(desk, given_up(desk), ALWAYS_3DS)
    assert row.state == "action_required"
    write_off.write_off(row.id)
    assert desk.jobs() == []
    row = desk.payment(row.rental_id)
    assert (row.state, kinds(row)) == ("written_off", ["arrears", "write_off"])
    assert ledger.written_off(row) == 5000
    assert desk.facts(row.rental_id).count("PaymentWrittenOff") == 1


def test_a_lifted_bar_lets_the_driver_rent_and_the_payment_be_paid(desk: Desk) -> None:
    row = given_up(desk)
    for _ in range(2):
        write_off.lift_bar(row.id)
    assert means.arrears(row.person_id) is None
    assert desk.facts(row.rental_id).count("PaymentBarLifted") == 1
    assert pay(desk, row).state == "captured"


def test_what_turns_out_not_to_be_owed_was_never_lost(desk: Desk) -> None:
    row = given_up(desk)
    capture.settle_end(row.rental_id, eur(0))
    assert desk.payment(row.rental_id).state == "released"
    assert kinds(row) == ["arrears", "write_off", "write_off_reversed", "arrears_void"]
    assert desk.books(row.rental_id) == {}


def test_the_comparison_finds_nothing_amiss_and_a_statement_nothing_paid(desk: Desk) -> None:
    row = given_up(desk)
    release()
    assert [one for one in reconcile.run() if one.subject == row.id] == []
    release()
    shown = statement.of(row.person_id, f"{clock.now():%Y-%m}", "UTC")
    assert row.rental_id not in [one["rental"] for one in shown["payments"]]


def test_only_arrears_are_written_off_and_only_what_is_written_off_is_lifted(desk: Desk) -> None:
    held = desk.payment(desk.held())
    for refused in (write_off.write_off, write_off.lift_bar):
        with pytest.raises(StepNotAllowed):
            refused(held.id)
        with pytest.raises(NotFound):
            refused("pay_" + "0" * 32)


def test_a_claim_stands_in_arrears_and_ends_where_a_payment_rests(desk: Desk) -> None:
    made = in_arrears(desk).id
    for state in State:
        row = session.get_one(Payment, made, populate_existing=True)
        row.state = state
        arrears.in_the_books(row)
        ended = state in (State.CAPTURED, State.RELEASED, State.WRITTEN_OFF)
        assert row.receivable == (0 if ended else 5000), state
        session.rollback()
