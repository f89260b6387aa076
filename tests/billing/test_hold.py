import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.billing import hold, means, outcome, webhook, work
from app.kit.clock import real_now
from app.kit.db import session
from app.kit.errors import CardNeeded, Problem, StepNotAllowed
from payments.gateway import PaymentsUnavailable
from tests import factories
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur


def test_a_free_rental_touches_nothing(desk: Desk) -> None:
    who = desk.driver()
    before = desk.calls()
    rental = desk.plan(0, who=who)
    assert desk.standing(rental) == "none"
    assert desk.end(rental, 0) == []
    assert desk.cancel(rental) == []
    assert desk.payments(rental) == []
    assert desk.facts(rental) == []
    assert desk.calls() == before


def test_a_rental_that_starts_within_a_day_is_held_at_once(desk: Desk) -> None:
    rental = desk.plan(9000, hours=23)
    assert desk.standing(rental) == "holding"
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert desk.standing(rental) == "held"
    assert row.capture_before is not None
    assert desk.facts(rental) == ["PaymentHeld"]
    (intent,) = desk.double_intents(rental)
    assert (intent["status"], intent["amount_capturable"]) == ("requires_capture", 9000)
    assert intent["metadata"]["command_id"].startswith("hold:")


def test_one_that_starts_later_is_held_a_day_before(desk: Desk) -> None:
    rental = desk.plan(9000, hours=30)
    assert desk.standing(rental) == "hold_due"
    row = desk.payment(rental)
    assert desk.due(row.id) == []
    hold.wake(rental)
    assert desk.standing(rental) == "hold_due"
    desk.forward(timedelta(hours=6, minutes=1))
    assert desk.due(row.id) == ["hold"]
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert desk.due(row.id) == []


def test_an_unlock_wakes_a_hold_whose_deadline_was_missed(desk: Desk) -> None:
    rental = desk.plan(9000, hours=30)
    desk.forward(timedelta(hours=7))
    hold.wake(rental)
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    hold.wake(rental)
    assert desk.jobs() == []
    assert len(desk.double_intents(rental)) == 1


def test_an_answer_lost_after_the_commit_gives_one_hold(desk: Desk) -> None:
    rental = desk.plan()
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    (lost,) = desk.jobs()
    assert getattr(lost, "temporary", False)
    assert desk.standing(rental) == "holding"
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert len(desk.double_intents(rental)) == 1
    assert desk.facts(rental) == ["PaymentHeld"]


def test_an_outcome_older_than_the_providers_memory_is_looked_up(desk: Desk) -> None:
    rental = desk.plan()
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    desk.jobs()
    (command,) = desk.open_commands(desk.payment(rental).id)
    row = session.merge(command)
    assert row.first_tried_at is not None
    row.first_tried_at -= timedelta(hours=25)
    session.commit()
    desk.double.post("keys/forget")
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert len(desk.double_intents(rental)) == 1


def test_an_old_attempt_that_never_arrived_is_made_anew_with_a_new_key(desk: Desk) -> None:
    rental = desk.plan()
    (command,) = desk.open_commands(desk.payment(rental).id)
    row = session.merge(command)
    row.first_tried_at = real_now() - timedelta(days=3)
    session.commit()
    assert desk.jobs() == []
    (intent,) = desk.double_intents(rental)
    assert intent["metadata"]["command_id"] != command.key
    assert desk.standing(rental) == "held"


def test_a_declined_card_fails_the_hold_and_another_one_saves_it(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(who=who)
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.failure_code, row.failure_hard) == ("hold_failed", "insufficient_funds", False)
    assert desk.facts(rental) == ["PaymentFailed"]
    better = desk.save_card(who[0].id, VISA)
    hold.retry(row.id, better, who[0].id)
    assert desk.standing(rental) == "holding"
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert sorted(one["status"] for one in desk.double_intents(rental)) == ["canceled", "requires_capture"]
    assert means.arrears(who[0].id) is None


def test_a_retry_wants_a_usable_card_and_a_payment_that_waits(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(who=who)
    with pytest.raises(StepNotAllowed):
        hold.retry(desk.payment(rental).id, None, who[0].id)
    desk.jobs()
    stranger = desk.driver()[1]
    with pytest.raises(CardNeeded):
        hold.retry(desk.payment(rental).id, stranger, who[0].id)


def test_the_driver_confirms_with_the_bank_and_a_webhook_tells_us(desk: Desk) -> None:
    rental = desk.plan(number=ALWAYS_3DS, on_session=True)
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert row.state == "action_required"
    assert row.action_sealed is not None
    assert desk.facts(rental) == ["PaymentActionRequired"]
    desk.confirm(rental, three_ds="ok")
    assert desk.standing(rental) == "action_required"
    assert desk.deliver(desk.event(rental, "payment_intent.amount_capturable_updated")).status_code == 200
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert desk.payment(rental).action_sealed is None
    assert desk.facts(rental) == ["PaymentActionRequired", "PaymentHeld"]


def test_in_the_drivers_absence_a_card_that_asks_is_left_for_him_to_confirm(desk: Desk) -> None:
    rental = desk.plan(number=ALWAYS_3DS)
    assert desk.jobs() == []
    assert desk.standing(rental) == "action_required"
    desk.confirm(rental, card=ALWAYS_3DS, three_ds="fail")
    desk.deliver(desk.event(rental, "payment_intent.payment_failed"))
    assert desk.jobs() == []
    assert desk.standing(rental) == "hold_failed"


@pytest.mark.parametrize("number", [POOR, ALWAYS_3DS])
def test_a_hold_that_stays_impossible_ends_in_the_hook_after_the_deadline(desk: Desk, number: str) -> None:
    told: list[str] = []
    hold.ON_HOLD_IMPOSSIBLE.append(told.append)
    rental = desk.plan(number=number, hours=3)
    desk.jobs()
    row = desk.payment(rental)
    assert row.told_at is not None
    assert row.deadline_at == max(row.starts_at - outcome.BEFORE_START, row.told_at + outcome.AFTER_TOLD)
    desk.forward(timedelta(minutes=50))
    assert desk.due(row.id) == []
    desk.forward(timedelta(minutes=15))
    assert desk.due(row.id) == ["hold_failed"]
    assert told == [rental]
    assert desk.cancel(rental) == []
    assert desk.standing(rental) == "released"
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]


def test_shortly_before_the_start_the_driver_still_has_twenty_minutes(desk: Desk) -> None:
    rental = desk.plan(number=POOR, hours=0.1)
    desk.jobs()
    row = desk.payment(rental)
    assert row.told_at is not None
    assert row.deadline_at == row.told_at + timedelta(minutes=20)


def test_what_was_held_meanwhile_undoes_the_cancellation(desk: Desk) -> None:
    rental = desk.plan(number=POOR, hours=3)
    desk.jobs()
    row = desk.payment(rental)
    desk.forward(timedelta(hours=2))

    def moved(_rental: str) -> None:
        session.connection().exec_driver_sql(
            "update payments set state = 'held' where id = %(id)s", {"id": row.id.removeprefix("pay_")}
        )

    hold.ON_HOLD_IMPOSSIBLE.append(moved)
    with pytest.raises(Exception, match="moved meanwhile"):
        desk.due(row.id)
    assert desk.standing(rental) == "hold_failed"


def test_an_extension_is_held_only_when_its_difference_is_held_too(desk: Desk) -> None:
    rental = desk.held(9000)
    more = hold.raise_amount(rental, eur(2000))
    assert more is not None
    assert desk.standing(rental) == "holding"
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert desk.end(rental, 10_500) == []
    assert [(p.purpose, p.state, p.captured) for p in desk.payments(rental)] == [
        ("rent", "captured", 9000),
        ("extras", "captured", 1500),
    ]


def test_an_extension_given_up_is_freed_and_no_longer_in_the_way(desk: Desk) -> None:
    rental = desk.held(9000)
    more = hold.raise_amount(rental, eur(2000))
    assert more is not None
    desk.jobs()
    hold.drop_raise(more)
    assert desk.standing(rental) == "held"
    assert desk.jobs() == []
    assert [p.state for p in desk.payments(rental)] == ["held", "released"]


def test_an_extension_that_nobody_confirms_is_told_as_failed(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    desk.put_card(rental, desk.save_card(who[0].id, ALWAYS_3DS))
    more = hold.raise_amount(rental, eur(2000))
    assert more is not None
    assert desk.jobs() == []
    assert desk.standing(rental) == "action_required"
    desk.forward(timedelta(hours=4))
    assert desk.due(more) == ["hold_failed"]
    assert desk.facts(rental)[-1] == "PaymentFailed"
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"


def test_eight_workers_at_once_make_one_hold(desk: Desk) -> None:
    rental = desk.plan()
    payment = desk.payment(rental).id

    def run(_number: int) -> None:
        with desk.app.app_context(), contextlib.suppress(Problem, PaymentsUnavailable):
            work.payment_command(payment)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert len(desk.double_intents(rental)) == 1
    assert desk.facts(rental) == ["PaymentHeld"]


def test_an_old_hold_that_dies_during_its_renewal_leaves_the_new_one(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.forward(timedelta(days=4, hours=10))
    desk.due(desk.payment(rental).id)
    desk.forward(timedelta(days=2))
    webhook._intent(desk.payment(rental).intent_id or "")
    assert (desk.standing(rental), desk.payment(rental).state) == ("held", "renewing")
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert sorted(one["status"] for one in desk.double_intents(rental)) == ["canceled", "requires_capture"]


def test_a_hold_about_to_expire_is_renewed_before_the_old_one_is_freed(desk: Desk) -> None:
    rental = desk.held(9000)
    first = desk.payment(rental)
    assert first.capture_before is not None
    desk.forward(timedelta(days=4, hours=10))
    assert desk.due(first.id) == ["hold_renew"]
    assert desk.standing(rental) == "held"
    assert desk.jobs() == []
    second = desk.payment(rental)
    assert second.state == "held"
    assert second.intent_id != first.intent_id
    assert second.capture_before is not None
    assert second.capture_before > first.capture_before
    assert sorted(one["status"] for one in desk.double_intents(rental)) == ["canceled", "requires_capture"]


def test_a_renewal_that_fails_takes_the_old_hold_and_the_end_gives_back_the_rest(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    desk.put_card(rental, desk.save_card(who[0].id, POOR))
    desk.forward(timedelta(days=4, hours=10))
    assert desk.due(desk.payment(rental).id) == ["hold_renew"]
    assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", 9000)
    assert desk.standing(rental) == "captured"
    assert desk.end(rental, 4000) == []
    assert (desk.payment(rental).captured, desk.payment(rental).refunded) == (9000, 5000)
    assert desk.books(rental)["owner_payable"] == -3000


def test_a_hold_the_bank_let_go_is_made_anew_while_the_rental_is_open(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.forward(timedelta(days=8))
    desk.deliver(desk.event(rental, "payment_intent.canceled"))
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert len(desk.double_intents(rental)) == 2


def test_a_card_removed_before_the_hold_is_asked_for_anew(desk: Desk) -> None:
    rental = desk.plan(hours=30)
    row = desk.payment(rental)
    assert row.card_id is not None
    session.connection().exec_driver_sql(
        "update cards set removed_at = now() where id = %(id)s", {"id": row.card_id.removeprefix("crd_")}
    )
    session.commit()
    desk.forward(timedelta(hours=7))
    desk.due(row.id)
    assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.payment(rental).failure_code) == ("hold_failed", "card_needed")


def test_someone_unknown_owes_nothing(desk: Desk) -> None:
    assert means.arrears(factories.person("Charlie Stranger").id) is None
    assert hold.of("ren_" + "0" * 32) is None
