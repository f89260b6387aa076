"""What an answer that never came, or came too late, must not do: leave a payment stuck, charge twice or too little."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.billing import capture, cards, commands, hold, outcome, refund, work
from app.billing.models import Payment, PaymentCommand
from app.kit.db import new_id, release, session
from app.kit.errors import Unavailable
from tests import factories
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur


def correct(desk: Desk, rental: str, total: int) -> None:
    """A late record of the box: the end with another price."""
    capture.settle_end(rental, eur(total))
    release()
    assert desk.jobs() == []


def test_an_end_corrected_upwards_while_the_driver_must_confirm_is_charged_in_full(desk: Desk) -> None:
    rental = desk.plan(5000, number=ALWAYS_3DS)
    desk.jobs()
    assert desk.end(rental, 3000) == []
    desk.put_card(rental, desk.save_card(desk.payment(rental).person_id, VISA))  # for what comes after it
    correct(desk, rental, 4500)
    desk.confirm(rental, three_ds="ok")
    desk.deliver(desk.event(rental, "payment_intent.succeeded"))
    assert desk.jobs() == []
    stands = [(row.purpose, row.state, row.owed, row.captured) for row in desk.payments(rental)]
    assert stands == [("rent", "captured", 3000, 3000), ("extras", "captured", 1500, 1500)]
    desk.deliver({**desk.event(rental, "payment_intent.succeeded"), "id": "evt_once_more"})
    assert desk.jobs() == []
    assert len(desk.payments(rental)) == 2


@pytest.mark.parametrize("keys", ["known", "forgotten"])
@pytest.mark.parametrize("over", [False, True])
def test_a_hold_that_ran_out_before_its_answer_was_heard_is_made_anew_or_charged(
    desk: Desk, keys: str, *, over: bool
) -> None:
    rental = desk.plan(5000)
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert len(desk.jobs()) == 1
    if keys == "forgotten":
        session.execute(
            text(
                "update payment_commands set first_tried_at = first_tried_at - interval '1 day' where state = 'open'"
            )
        )
        session.commit()
        desk.double.post("keys/forget")
    if over:
        desk.end(rental, 3000)
    desk.forward(timedelta(days=8))
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.captured) == (("captured", 3000) if over else ("held", 0))


def test_a_charge_without_an_answer_is_looked_up_when_its_card_is_gone(desk: Desk) -> None:
    rental = desk.plan(5000, hours=100)
    card = desk.payment(rental).card_id
    assert card is not None
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert len(desk.end(rental, 3000)) == 1
    session.execute(
        text("update cards set removed_at = business_now() where id = cast(:card as uuid)"),
        {"card": card.removeprefix("crd_")},
    )
    session.commit()
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.captured) == ("captured", 3000)


def test_what_was_given_up_is_freed_before_another_attempt_takes_the_money(desk: Desk) -> None:
    rental = desk.plan(5000, number=ALWAYS_3DS)
    desk.jobs()
    row = desk.payment(rental)
    hold.retry(row.id, desk.save_card(row.person_id, VISA), row.person_id)
    release()
    releasing = next(one for one in desk.open_commands(row.id) if one.kind == "release")
    later = session.get_one(PaymentCommand, releasing.id)
    later.id = new_id("pcm")  # of the same millisecond, and by chance behind
    session.commit()
    assert [one.kind for one in commands.opened(row.id)] == ["release", "hold"]
    release()
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"


def renewal_fails(desk: Desk, payment: str) -> None:
    """The bank says no to the second hold, the worker stops there, and the webhook of that no is worked off."""
    desk.forward(timedelta(days=4, hours=10))
    assert desk.due(payment) == ["hold_renew"]
    release()
    order = work.next_order(payment)
    assert order is not None
    work.carry_out(order)
    release()
    refused = session.scalars(
        select(PaymentCommand.object_id).where(
            PaymentCommand.payment_id == payment, PaymentCommand.state == commands.FAILED
        )
    ).one()
    assert refused is not None
    release()
    outcome.apply(commands.door().intent(refused))
    release()


def test_news_of_a_renewal_that_failed_leave_a_deposit_on_the_hold_that_stands(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, deposited=50_000, who=who)
    stands = desk.deposit(rental).intent_id
    poor = desk.save_card(who[0].id, POOR)
    session.get_one(Payment, desk.deposit(rental).id).card_id = poor
    session.commit()
    renewal_fails(desk, desk.deposit(rental).id)
    assert desk.jobs() == []
    row = desk.deposit(rental)
    assert (row.state, row.intent_id) == ("held", stands)
    held = [one for one in desk.double_intents(rental) if one["status"] == "requires_capture"]
    assert sorted(one["amount"] for one in held) == [9000, 50_000]
    assert "PaymentReleased" not in desk.facts(rental)


def test_news_of_a_renewal_that_failed_do_not_stop_the_rent_from_being_taken(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    row = desk.payment(rental)
    desk.put_card(rental, desk.save_card(who[0].id, POOR))
    renewal_fails(desk, row.id)
    assert desk.payment(rental).state == "capturing"
    assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.payment(rental).intent_id) == ("captured", row.intent_id)
    assert "PaymentFailed" not in desk.facts(rental)


FAULTS = pytest.mark.parametrize("fault", ["500", "500_after_commit"])
"""Stripe keeps its fault under our key, whether something came of the request or not."""


@FAULTS
def test_a_hold_whose_key_was_spent_on_a_fault_is_looked_up_or_made_under_another(
    desk: Desk, fault: str
) -> None:
    rental = desk.plan(5000)
    desk.double.post("fault", next=fault, path="/v1/payment_intents")
    assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    held = [one["amount"] for one in desk.double_intents(rental) if one["status"] == "requires_capture"]
    assert held == [5000]


@FAULTS
def test_a_capture_whose_key_was_spent_on_a_fault_is_seen_or_made_under_another(
    desk: Desk, fault: str
) -> None:
    rental = desk.held(9000)
    desk.double.post("fault", next=fault, path="/capture")
    assert len(desk.end(rental, 7000)) == 1
    assert desk.jobs() == []
    payment = desk.payment(rental).id
    if fault == "500":
        again = [one.id for one in desk.commands(payment) if one.kind == "capture"]
        desk.forward(timedelta(minutes=11))
        for one in again:
            desk.due(one)
        assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", 7000)
    assert desk.open_commands(payment) == []


@FAULTS
def test_a_refund_whose_key_was_spent_on_a_fault_is_given_once(desk: Desk, fault: str) -> None:
    rental = desk.captured(8000)
    payment = desk.payment(rental).id
    desk.double.post("fault", next=fault, path="/v1/refunds")
    refund.refund(payment, 1500, "operator")
    release()
    assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    if fault == "500":
        asked = [one.id for one in desk.commands(payment) if one.kind == "refund"]
        desk.forward(timedelta(minutes=11))
        for one in asked:
            desk.due(one)
        assert desk.jobs() == []
    assert desk.payment(rental).refunded == 1500
    there = [one for one in desk.there("refund") if one["amount"] == 1500]
    assert len([one for one in there if one["payment_intent"] == desk.payment(rental).intent_id]) == 1


@FAULTS
def test_a_transfer_whose_key_was_spent_on_a_fault_is_sent_once(desk: Desk, fault: str) -> None:
    desk.owner()
    rental = desk.captured(8000)
    desk.double.post("fault", next=fault, path="/v1/transfers")
    assert len(desk.pay_out(rental)) == 1
    assert desk.jobs() == []
    row = desk.transfer(rental)
    if fault == "500":
        assert desk.due(row.id) == ["transfer"]
        assert desk.jobs() == []
    charge, found = desk.payment(rental).charge_id, desk.there("transfer")
    assert [one["amount"] for one in found if one["source_transaction"] == charge] == [6000]
    assert desk.transfer(rental).state == "settled"


@FAULTS
def test_a_card_is_saved_under_other_keys_where_a_fault_lies_under_the_first(desk: Desk, fault: str) -> None:
    who = factories.person("Max Member").id
    for path in ("/v1/customers", "/v1/setup_intents"):
        row = cards.begin(who)
        release()
        desk.double.post("fault", next=fault, path=path)
        for _ in range(2):
            with pytest.raises(Unavailable):
                cards.setup(row.id)
            release()
        assert cards.setup(row.id) is not None
        release()
