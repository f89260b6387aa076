"""The hearing: answers, silence, decisions, appeals; who is told what."""

import pytest
from sqlalchemy import select

from app.claims.represent import charge_request as shown
from app.kit import clock
from app.kit import facts as kit_facts
from app.kit.db import session
from app.kit.errors import NotAllowed, NotFound, StepNotAllowed, Validation
from app.kit.facts import FactRow
from app.messages import timeline, words
from app.messages.models import Message
from app.rentals.lifecycle import Role
from tests import factories
from tests.claims.hearing import DAY, HOUR, Hearing


def told(hearing: Hearing, person: str) -> dict[str, str]:
    """What the facts so far tell a person: kind -> body."""
    rows = session.scalars(
        select(FactRow)
        .where(FactRow.data["rental"].astext == hearing.scene.rental_id, FactRow.kind.like("Charge%"))
        .order_by(FactRow.seq)
    ).all()
    for row in rows:
        kit_facts.react(row.seq)
    session.expire_all()
    mine = (
        select(Message).where(Message.person_id == person, Message.kind.like("charge_%")).order_by(Message.id)
    )
    return {one.kind: words.of(one.kind, one.params, "en").body for one in session.scalars(mine)}


def test_accepted_is_charged_when_the_window_ends_not_before(hearing: Hearing) -> None:
    row = hearing.ask()
    hearing.forward(HOUR)
    row = hearing.answer(row, accept=True)
    assert (row.state, row.charge_not_before) == ("accepted", row.answer_by)
    hearing.forward(70 * HOUR)
    assert hearing.due(row) == []
    hearing.forward(2 * HOUR)
    assert hearing.due(row) == ["charge_answer"]
    row = hearing.now(row)
    assert row.state == "closed"
    assert row.payment_id is not None


def test_until_the_window_ends_the_driver_may_think_again(hearing: Hearing) -> None:
    row = hearing.answer(hearing.ask(), accept=True)
    hearing.answer(row, accept=False, said="No, it was there before.")
    hearing.forward(73 * HOUR)
    hearing.due(row)
    row = hearing.now(row)
    assert (row.state, row.charge_not_before, row.payment_id) == ("contested", None, None)


def test_silence_charges_nothing_and_the_driver_may_still_speak(hearing: Hearing) -> None:
    row = hearing.ask()
    hearing.forward(72 * HOUR)
    assert hearing.due(row) == ["charge_answer"]
    row = hearing.now(row)
    assert (row.state, row.answered_at, row.payment_id) == ("contested", None, None)
    hearing.answer(row, accept=False, said="I was away.")
    with pytest.raises(StepNotAllowed, match="already"):
        hearing.answer(row, accept=False, said="And again.")
    row = hearing.answer(row, accept=True)
    assert row.charge_not_before is not None
    assert row.charge_not_before <= clock.now()
    assert hearing.due(row) == ["charge_answer"]
    assert hearing.now(row).state == "closed"


def test_who_may_do_what_is_asked_of_the_rental(hearing: Hearing) -> None:
    row = hearing.ask()
    charlie = factories.person("Charlie Stranger").id
    hearing.max, hearing.olga = hearing.olga, hearing.max
    with pytest.raises(NotAllowed):
        hearing.answer(row, accept=True)
    with pytest.raises(NotAllowed):
        hearing.withdraw(row)
    hearing.max = charlie
    with pytest.raises(NotFound):
        hearing.answer(row, accept=True)
    assert hearing.now(row).state == "open"


def test_a_withdrawn_request_is_over_and_nothing_falls_due(hearing: Hearing) -> None:
    row = hearing.answer(hearing.ask(), accept=True)
    hearing.withdraw(row)
    hearing.forward(80 * HOUR)
    assert hearing.due(row) == []
    with pytest.raises(StepNotAllowed):
        hearing.answer(row, accept=True)
    assert (hearing.now(row).state, hearing.now(row).payment_id) == ("withdrawn", None)


@pytest.mark.parametrize("amount", [-1, 12001])
def test_an_operator_never_decides_above_what_was_asked(hearing: Hearing, amount: int) -> None:
    row = hearing.contested(12000)
    with pytest.raises(Validation):
        hearing.decide(row, amount)


def test_nobody_decides_before_the_driver_was_heard_or_had_their_time(hearing: Hearing) -> None:
    row = hearing.ask()
    with pytest.raises(StepNotAllowed):
        hearing.decide(row, 100)


def test_nobody_decides_in_a_matter_of_their_own(hearing: Hearing) -> None:
    row = hearing.contested()
    for party in (hearing.olga, hearing.max):
        with pytest.raises(NotAllowed):
            hearing.decide(row, 100, by=party)


def test_a_decision_is_charged_after_14_days_without_an_appeal(hearing: Hearing) -> None:
    row = hearing.decide(hearing.contested(), 5000)
    assert row.decided_at is not None
    assert row.charge_not_before == row.decided_at + 14 * DAY
    hearing.forward(14 * DAY - HOUR)
    assert hearing.due(row) == []
    hearing.forward(HOUR)
    assert hearing.due(row) == ["charge_appeal"]
    assert (hearing.now(row).state, hearing.now(row).owed) == ("closed", 5000)


def test_a_decision_for_nothing_charges_nothing(hearing: Hearing) -> None:
    row = hearing.decide(hearing.contested(), 0)
    hearing.forward(14 * DAY)
    hearing.due(row)
    assert (hearing.now(row).state, hearing.now(row).payment_id) == ("closed", None)


def test_an_appeal_stops_the_clock_and_another_operator_decides_for_good(hearing: Hearing) -> None:
    row = hearing.appeal(hearing.decide(hearing.contested(), 5000))
    assert (row.state, row.charge_not_before) == ("appealed", None)
    hearing.forward(20 * DAY)
    assert hearing.due(row) == []
    with pytest.raises(NotAllowed, match="another operator"):
        hearing.decide(row, 1000, by=hearing.opal)
    row = hearing.decide(row, 1000, by=hearing.otto)
    assert (row.state, row.owed) == ("closed", 1000)
    assert row.payment_id is not None
    with pytest.raises(StepNotAllowed):
        hearing.appeal(row)


@pytest.mark.parametrize(("who", "wrong", "right"), [("max", 5001, 0), ("olga", 4999, 12000)])
def test_an_appeal_never_makes_it_worse_for_who_appeals(
    hearing: Hearing, who: str, wrong: int, right: int
) -> None:
    row = hearing.appeal(hearing.decide(hearing.contested(12000), 5000), getattr(hearing, who))
    with pytest.raises(Validation):
        hearing.decide(row, wrong, by=hearing.otto)
    assert hearing.decide(row, right, by=hearing.otto).owed == right


def test_an_appeal_after_the_window_comes_too_late_although_the_clock_has_not_closed_it(
    hearing: Hearing,
) -> None:
    row = hearing.decide(hearing.contested(), 5000)
    hearing.forward(14 * DAY)
    with pytest.raises(StepNotAllowed, match="over"):
        hearing.appeal(row)


def test_what_the_rental_shows_is_the_evidence_and_the_links_are_the_readers_steps(hearing: Hearing) -> None:
    row = hearing.ask()
    seen = shown(row, Role.DRIVER)
    assert {"odometer_start_km": 1200, "odometer_end_km": 1220, "km": 20}.items() <= seen["evidence"].items()
    assert {"charge_end_percent": 61, "end_evidence": "box strong"}.items() <= seen["evidence"].items()
    own = f"/v1/charge-requests/{row.id}"
    assert seen["links"] == {"self": own, "answer": f"{own}/answer"}
    assert shown(row, Role.OWNER)["links"] == {"self": own, "withdraw": f"{own}/withdraw"}
    assert shown(row, Role.OPERATOR)["links"] == {"self": own}


def test_both_are_told_each_step_with_its_reason_and_the_time_to_answer(hearing: Hearing) -> None:
    row = hearing.decide(hearing.contested(), 5000)
    hearing.appeal(row)
    hearing.decide(row, 1000, by=hearing.otto)
    driver, owner = told(hearing, hearing.max), told(hearing, hearing.olga)
    assert list(driver) == [
        "charge_requested.driver",
        "charge_contested.driver",
        "charge_decided.driver",
        "charge_appealed.driver",
        "charge_decided_finally.driver",
    ]
    assert [kind.replace(".owner", ".driver") for kind in owner] == list(driver)[1:]
    assert "“A scratch on the left door.”" in driver["charge_requested.driver"]
    assert "“It was there before.”" in owner["charge_contested.owner"]
    for decided in (driver["charge_decided.driver"], owner["charge_decided.owner"]):
        assert "“The photos show it.”" in decided
    assert "until" in driver["charge_decided.driver"]


def test_the_timeline_is_the_same_for_both(hearing: Hearing) -> None:
    hearing.appeal(hearing.decide(hearing.contested(), 5000))
    of_max, of_olga = (
        timeline.of(one, hearing.scene.rental_id, limit=4, cursor=None).items
        for one in (hearing.max, hearing.olga)
    )
    assert of_max == of_olga
    assert [(one["kind"], one["by"]) for one in reversed(of_max)] == [
        ("charge_requested", "owner"),
        ("charge_request_contested", "driver"),
        ("charge_request_decided", "operator"),
        ("charge_request_appealed", "driver"),
    ]


@pytest.mark.parametrize("too_little", [1, 49])
def test_less_than_a_card_can_be_asked_for_is_not_decided(hearing: Hearing, too_little: int) -> None:
    row = hearing.contested()
    with pytest.raises(Validation) as refused:
        hearing.decide(row, too_little)
    assert [one["pointer"] for one in refused.value.members["errors"]] == ["/amount/amount"]
    assert hearing.decide(row, 50).owed == 50
