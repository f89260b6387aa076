"""The money of a swapped rental: Stripe shows the rental it stands for by now, and what was under way is not lost."""

import pytest

from app.billing import hold, move
from app.kit.db import new_id, release, session, transactional
from app.kit.errors import Unavailable
from tests.billing.desk import POOR, Desk


def moved(desk: Desk, rental: str) -> str:
    """The other rental, which has the money now."""
    other = new_id("ren")
    transactional(move.to)(rental, other, desk.payee)
    release()
    return other


def test_what_is_held_stays_held_and_is_shown_with_the_rental_it_stands_for(desk: Desk) -> None:
    rental = desk.held(deposited=5000)
    intents = {row.intent_id for row in desk.payments(rental)}
    other = moved(desk, rental)
    assert desk.jobs() == []
    assert {one["id"] for one in desk.double_intents(other)} == intents
    assert desk.double_intents(rental) == []
    charges = desk.double.get("objects")["objects"]["charge"]
    mine = [one["metadata"]["rental"] for one in charges if one["payment_intent"] in intents]
    assert mine == [other] * 2
    assert {row.state for row in desk.payments(other)} == {"held"}
    assert desk.end(other, 8000) == []
    assert (desk.payment(other).state, desk.payment(other).captured) == ("captured", 8000)


def test_a_hold_whose_answer_was_lost_before_the_swap_is_found_after_it(desk: Desk) -> None:
    rental = desk.plan()
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert len(desk.jobs()) == 1
    other = moved(desk, rental)
    assert desk.jobs() == []
    assert desk.standing(other) == "held"
    [intent] = desk.double_intents(other)
    assert intent["id"] == desk.payment(other).intent_id


def test_what_was_not_asked_for_yet_is_asked_for_the_other_rental(desk: Desk) -> None:
    rental = desk.plan(hours=100)
    other = moved(desk, rental)
    calls = desk.calls()
    assert desk.jobs() == []
    assert desk.calls() == calls
    hold.due_hold(desk.payment(other).id)
    assert desk.jobs() == []
    assert [one["metadata"]["rental"] for one in desk.double_intents(other)] == [other]


def test_what_stripe_has_let_go_meanwhile_is_shown_as_it_was_and_holds_nothing_up(desk: Desk) -> None:
    rental = desk.held()
    payment = desk.payment(rental)
    session.get_one(type(payment), payment.id).intent_id = "pi_that_nobody_knows"
    session.commit()
    other = moved(desk, rental)
    assert desk.jobs() == []
    [shown] = [one for one in desk.commands(payment.id) if one.kind == "stand_for"]
    assert (shown.state, shown.error) == ("failed", "resource_missing")
    assert desk.open_commands(payment.id) == []
    assert desk.payment(other).state == "held"


def test_a_swap_while_a_failed_hold_is_given_up_leaves_it_to_be_given_up_again(desk: Desk) -> None:
    """The rental that the payment was of is told in vain: what has taken its place must be told too."""
    rental, other = desk.plan(number=POOR), new_id("ren")
    desk.jobs()
    payment = desk.payment(rental).id
    hold.ON_HOLD_IMPOSSIBLE.append(lambda of: move.to(of, other, desk.payee))
    with pytest.raises(Unavailable):
        hold.due_hold_failed(payment)
