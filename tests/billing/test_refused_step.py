"""A capture or release that the provider refuses for good is looked at again, and nothing is taken twice."""

from datetime import timedelta

import pytest

from app.billing import capture, commands, hold, refused, retry
from app.kit.db import release
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur


def refuse(desk: Desk, path: str, times: int = 1) -> None:
    desk.double.post("fault", next="400", path=path, times=times)


def steps(desk: Desk, rental: str, kind: str) -> list[str]:
    """How the commands of that kind stand, in the order they were made."""
    found = desk.commands(desk.payment(rental).id)
    return [one.state for one in sorted(found, key=lambda one: one.id) if one.kind == kind]


def later(desk: Desk, rental: str, after: timedelta) -> list[str]:
    """The time goes by, and what is due of the rental's commands is taken; the kinds."""
    desk.forward(after)
    return [kind for one in desk.commands(desk.payment(rental).id) for kind in desk.due(one.id)]


def stuck(desk: Desk, rental: str, end: int = 6000) -> None:
    kind = "/capture" if end else "/cancel"
    refuse(desk, kind, times=1 + len(refused.AGAIN))
    assert desk.end(rental, end) == []
    for after in refused.AGAIN:
        assert later(desk, rental, after) == ["step_again"]
        assert desk.jobs() == []


def test_a_refused_capture_is_tried_again_under_a_new_key_and_taken_once(desk: Desk) -> None:
    rental = desk.held(9000)
    refuse(desk, "/capture")
    assert desk.end(rental, 6000) == []
    assert (desk.standing(rental), steps(desk, rental, "capture")) == ("capturing", ["failed"])
    assert later(desk, rental, refused.AGAIN[0]) == ["step_again"]
    assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", 6000)
    assert steps(desk, rental, "capture") == ["failed", "done"]
    assert len({one.key for one in desk.commands(desk.payment(rental).id)}) == 3
    assert desk.facts(rental).count("PaymentSucceeded") == 1
    assert sum(desk.books(rental).values()) == 0


def test_a_refused_release_is_tried_again(desk: Desk) -> None:
    rental = desk.held(9000)
    refuse(desk, "/cancel")
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "releasing"
    assert later(desk, rental, refused.AGAIN[0]) == ["step_again"]
    assert desk.jobs() == []
    assert desk.standing(rental) == "released"
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]


def test_refused_and_taken_all_the_same_it_is_booked(desk: Desk) -> None:
    rental = desk.held(9000)
    intent = str(desk.payment(rental).intent_id)
    commands.door().capture(intent, eur(6000), key=f"hand:{intent}")
    refuse(desk, "/capture")
    assert desk.end(rental, 6000) == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", 6000)
    assert later(desk, rental, refused.AGAIN[0]) == []


@pytest.mark.parametrize(("number", "state"), [(VISA, "captured"), (POOR, "arrears")])
def test_refused_until_the_bank_let_it_go_it_is_charged_like_any_lost_hold(
    desk: Desk, number: str, state: str
) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    desk.put_card(rental, desk.save_card(who[0].id, number))
    refuse(desk, "/capture")
    assert desk.end(rental, 6000) == []
    assert later(desk, rental, timedelta(days=8)) == ["step_again"]
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.captured) == (state, 6000 if state == "captured" else 0)
    assert len(desk.double_intents(rental)) == 2
    assert sum(desk.books(rental).values()) == 0


def test_an_end_corrected_meanwhile_decides_what_the_next_try_takes(desk: Desk) -> None:
    rental = desk.held(9000)
    refuse(desk, "/capture")
    assert desk.end(rental, 6000) == []
    capture.settle_end(rental, eur(0))
    assert later(desk, rental, refused.AGAIN[0]) == ["step_again"]
    assert desk.jobs() == []
    assert desk.standing(rental) == "released"


def test_after_the_last_try_an_operator_is_alarmed_and_tries_again(desk: Desk) -> None:
    rental = desk.held(9000)
    stuck(desk, rental)
    assert steps(desk, rental, "capture") == ["failed"] * 4 + ["stuck"]
    assert later(desk, rental, timedelta(hours=24)) == []
    assert desk.payment(rental).state == "capturing"
    found = retry.stuck(desk.payment(rental).id)
    assert found is not None
    release()
    assert desk.jobs() == []
    assert (desk.payment(rental).captured, steps(desk, rental, "capture")[-1]) == (6000, "done")
    assert retry.stuck(desk.payment(rental).id) is None


def test_what_is_stuck_ends_when_the_bank_lets_it_go(desk: Desk) -> None:
    rental = desk.held(9000)
    stuck(desk, rental, end=0)
    desk.forward(timedelta(days=7))
    assert desk.tell("payment_intent.canceled", str(desk.payment(rental).intent_id)) == []
    assert desk.standing(rental) == "released"
    assert "stuck" not in steps(desk, rental, "release")


def test_what_was_given_up_is_freed_later_and_holds_up_no_other_attempt(desk: Desk) -> None:
    rental = desk.plan(5000, number=ALWAYS_3DS)
    desk.jobs()
    row = desk.payment(rental)
    refuse(desk, "/cancel")
    hold.retry(row.id, desk.save_card(row.person_id, VISA), row.person_id)
    release()
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert later(desk, rental, refused.AGAIN[0]) == ["step_again"]
    assert desk.jobs() == []
    assert sorted(one["status"] for one in desk.double_intents(rental)) == ["canceled", "requires_capture"]


@pytest.mark.parametrize("heard", [True, False])
def test_what_is_confirmed_while_its_refused_release_waits_is_freed_all_the_same(
    desk: Desk, *, heard: bool
) -> None:
    rental = desk.plan(5000, number=ALWAYS_3DS)
    desk.jobs()
    refuse(desk, "/cancel")
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "released"
    desk.confirm(rental, three_ds="ok")
    (intent,) = desk.double_intents(rental)
    assert intent["status"] == "requires_capture"
    if heard:
        assert desk.tell("payment_intent.amount_capturable_updated", intent["id"]) == []
    later(desk, rental, refused.AGAIN[0])
    assert desk.jobs() == []
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]
    assert desk.standing(rental) == "released"
