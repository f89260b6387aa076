"""A deposit is held beside the rent, taken by a hearing alone, and never left behind."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from app import facts
from app.billing import capture, commands, deposit, hold, ledger
from app.billing.states import State
from app.kit import clock, deadlines
from app.kit.db import release, session, transactional
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RENT, DEPOSIT = 9000, 50_000


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The rentals against which damage is being heard."""
    kept, rentals = list(deposit.IN_HEARING), list[str]()
    deposit.IN_HEARING[:] = [rentals.__contains__]
    yield rentals
    deposit.IN_HEARING[:] = kept


def held(desk: Desk, **more: object) -> str:
    rental = desk.held(RENT, deposited=DEPOSIT, **more)
    assert desk.deposit(rental).state == "held"
    return rental


def take(rental: str, amount: int) -> tuple[str | None, int]:
    found = transactional(deposit.take)(rental, amount)
    release()
    return found


def ready(rental: str) -> bool:
    release()
    return deposit.is_held(hold.all_of(rental))


def lies_held(desk: Desk, rental: str) -> list[int]:
    """What the provider holds or would hold for the rental."""
    return [
        one["amount"] for one in desk.double_intents(rental) if one["status"] not in ("canceled", "succeeded")
    ]


def bank_lets_go(desk: Desk, rental: str) -> None:
    """The hold of the deposit ends at the bank, and its event arrives."""
    intent = str(desk.deposit(rental).intent_id)
    commands.door().release(intent, key=f"bank:{intent}")
    assert desk.tell("payment_intent.canceled", intent) == []


def test_it_is_an_intent_of_its_own_and_no_posting(desk: Desk) -> None:
    rental = held(desk)
    assert sorted(lies_held(desk, rental)) == [RENT, DEPOSIT]
    assert [row.purpose for row in desk.payments(rental) if row.purpose != "rent"] == ["deposit"]
    assert desk.books(rental) == {}


def test_without_one_in_the_terms_there_is_none(desk: Desk) -> None:
    rental = desk.held(RENT)
    assert deposit.among(desk.payments(rental)) is None
    assert ready(rental)
    assert desk.end(rental, 5000) == []


def test_far_ahead_it_is_held_a_day_before_like_the_rent(desk: Desk) -> None:
    rental = desk.plan(RENT, hours=30, deposited=DEPOSIT)
    row = desk.deposit(rental)
    assert (row.state, desk.due(row.id)) == ("hold_due", [])
    desk.forward(7 * HOUR)
    assert desk.due(row.id) == ["hold"]
    assert desk.jobs() == []
    assert desk.deposit(rental).state == "held"
    assert desk.payment(rental).state == "hold_due"


def test_a_rental_that_costs_nothing_by_its_quote_may_still_have_one(desk: Desk) -> None:
    rental = desk.plan(0, deposited=DEPOSIT)
    assert desk.jobs() == []
    assert (desk.standing(rental), desk.deposit(rental).state) == ("none", "held")
    assert desk.end(rental, 0) == []
    desk.forward(deposit.INSPECTION)
    assert desk.due(desk.deposit(rental).id) == ["deposit"]
    assert desk.jobs() == []
    assert desk.deposit(rental).state == "released"


def test_after_the_inspection_it_is_given_back_and_nothing_was_taken(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    row = desk.deposit(rental)
    assert (row.state, row.owed) == ("held", None)
    assert (desk.standing(rental), desk.payment(rental).captured) == ("captured", 7000)
    desk.forward(deposit.INSPECTION - HOUR)
    assert desk.due(row.id) == []
    desk.forward(HOUR)
    assert desk.due(row.id) == ["deposit"]
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, desk.deposit(rental).captured) == ("released", 0)
    assert lies_held(desk, rental) == []
    assert desk.facts(rental)[-1] == "PaymentReleased"


def cancelled(desk: Desk, rental: str) -> None:
    desk.cancel(rental, owed=2000)


def by_the_owner(desk: Desk, rental: str) -> None:
    transactional(capture.on_cancelled)(facts.RentalCancelled(rental, "owner", "needed", 0))


def not_shown_up(desk: Desk, rental: str) -> None:
    transactional(capture.on_no_show)(facts.RentalNoShow(rental, 2000))


def declined(desk: Desk, rental: str) -> None:
    transactional(capture.on_dropped)(facts.RentalDeclined(rental, "per_" + "0" * 32))


WAYS_OFF: list[Callable[[Desk, str], None]] = [cancelled, by_the_owner, not_shown_up, declined]


@pytest.mark.parametrize("off", WAYS_OFF, ids=lambda off: off.__name__)
def test_a_rental_that_never_takes_place_leaves_none_behind(
    desk: Desk, off: Callable[[Desk, str], None]
) -> None:
    rental = held(desk)
    off(desk, rental)
    release()
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, desk.deposit(rental).captured) == ("released", 0)
    assert lies_held(desk, rental) == []


def hold_due(desk: Desk) -> str:
    return desk.plan(RENT, hours=30, deposited=DEPOSIT)


def holding(desk: Desk) -> str:
    return desk.plan(RENT, deposited=DEPOSIT)


def action_required(desk: Desk) -> str:
    rental = desk.plan(RENT, number=ALWAYS_3DS, deposited=DEPOSIT)
    assert desk.jobs() == []
    return rental


def hold_failed(desk: Desk) -> str:
    rental = desk.plan(RENT, number=POOR, deposited=DEPOSIT)
    assert desk.jobs() == []
    return rental


def renewing(desk: Desk) -> str:
    rental = held(desk)
    desk.forward(4 * DAY + 10 * HOUR)
    desk.due(desk.deposit(rental).id)
    return rental


STATES = [hold_due, holding, action_required, hold_failed, held, renewing]


@pytest.mark.parametrize("begun", STATES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("how", ["cancelled", "over"])
def test_from_every_state_it_ends_released(desk: Desk, begun: Callable[[Desk], str], how: str) -> None:
    rental = begun(desk)
    state = begun.__name__
    assert desk.deposit(rental).state == state
    if how == "cancelled":
        desk.cancel(rental)
    else:
        desk.end(rental, 0)
        desk.forward(deposit.INSPECTION)
        desk.due(desk.deposit(rental).id)
    desk.jobs()
    assert (desk.deposit(rental).state, desk.deposit(rental).captured) == ("released", 0)
    assert lies_held(desk, rental) == []


def test_the_driver_confirms_it_like_the_rent_and_is_ready_only_then(desk: Desk) -> None:
    rental = desk.plan(RENT, number=ALWAYS_3DS, on_session=True, deposited=DEPOSIT)
    assert desk.jobs() == []
    assert desk.deposit(rental).state == "action_required"
    for one in desk.double_intents(rental):
        assert (ready(rental), desk.standing(rental)) != (True, "held")
        desk.double.post("payment_intents/confirm", client_secret=one["client_secret"], three_ds="ok")
        assert desk.tell("payment_intent.amount_capturable_updated", one["id"]) == []
    assert (ready(rental), desk.standing(rental)) == (True, "held")


@pytest.mark.parametrize("number", [POOR, ALWAYS_3DS])
def test_one_that_cannot_be_held_ends_the_booking_like_the_rent(desk: Desk, number: str) -> None:
    told: list[str] = []
    hold.ON_HOLD_IMPOSSIBLE.append(told.append)
    rental = desk.plan(0, number=number, hours=3, deposited=DEPOSIT)
    assert desk.jobs() == []
    row = desk.deposit(rental)
    assert row.state in ("hold_failed", "action_required")
    desk.forward(65 * timedelta(minutes=1))
    assert desk.due(row.id) == ["hold_failed"]
    assert desk.jobs() == []
    assert (told, desk.deposit(rental).state) == ([rental], "released")
    assert lies_held(desk, rental) == []


def test_another_card_holds_it_after_all(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(RENT, who=who, deposited=DEPOSIT)
    assert desk.jobs() == []
    assert desk.deposit(rental).failure_code == "insufficient_funds"
    hold.retry(desk.deposit(rental).id, desk.save_card(who[0].id, VISA), who[0].id)
    assert desk.jobs() == []
    assert ready(rental)


def test_it_is_renewed_before_the_bank_lets_it_go_while_the_car_is_out(desk: Desk) -> None:
    rental = renewing(desk)
    assert ready(rental)
    first = desk.deposit(rental).intent_id
    assert desk.jobs() == []
    row = desk.deposit(rental)
    assert (row.state, row.intent_id != first) == ("held", True)
    assert lies_held(desk, rental).count(DEPOSIT) == 1


def test_a_renewal_that_fails_takes_nothing_and_the_old_hold_stands(desk: Desk) -> None:
    who = desk.driver()
    rental = held(desk, who=who)
    row = desk.deposit(rental)
    poor = desk.save_card(who[0].id, POOR)
    session.get_one(type(row), row.id).card_id = poor
    session.commit()
    desk.forward(4 * DAY + 10 * HOUR)
    assert desk.due(row.id) == ["hold_renew"]
    assert desk.jobs() == []
    found = desk.deposit(rental)
    assert (found.state, found.intent_id, found.captured) == ("held", row.intent_id, 0)


def test_one_the_bank_lets_go_is_held_anew_while_the_rental_is_open(desk: Desk) -> None:
    rental = held(desk)
    bank_lets_go(desk, rental)
    assert desk.deposit(rental).state == "held"
    assert sorted(lies_held(desk, rental)) == [RENT, DEPOSIT]


def test_one_the_bank_lets_go_after_the_end_is_not_asked_for_again(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    bank_lets_go(desk, rental)
    assert desk.deposit(rental).state == "released"
    assert lies_held(desk, rental) == []
    assert take(rental, 3000) == (None, 3000)


def test_one_lost_while_the_car_is_out_and_not_to_be_had_again_is_given_up(desk: Desk) -> None:
    who = desk.driver()
    rental = held(desk, who=who)
    row = desk.deposit(rental)
    session.get_one(type(row), row.id).card_id = desk.save_card(who[0].id, POOR)
    session.commit()
    bank_lets_go(desk, rental)
    assert desk.deposit(rental).state == "hold_failed"
    desk.forward(6 * HOUR)
    assert desk.due(row.id) == ["hold_failed"]
    assert desk.jobs() == []
    assert desk.deposit(rental).state == "released"


def test_it_needs_no_renewal_that_would_outlast_the_inspection(desk: Desk) -> None:
    rental = held(desk)
    desk.forward(4 * DAY)
    assert desk.end(rental, 7000) == []
    row = desk.deposit(rental)
    assert row.capture_before is not None
    session.get_one(type(row), row.id).inspect_until = row.capture_before - HOUR
    session.commit()
    desk.forward(10 * HOUR)
    assert desk.due(row.id) == ["hold_renew"]
    assert desk.jobs() == []
    assert desk.deposit(rental).intent_id == row.intent_id


def test_a_hearing_opened_after_its_renewal_was_let_go_by_renews_it(desk: Desk, heard: list[str]) -> None:
    rental = held(desk)
    desk.forward(4 * DAY)
    assert desk.end(rental, 7000) == []
    row = desk.deposit(rental)
    ends = row.capture_before
    assert ends is not None
    session.get_one(type(row), row.id).inspect_until = ends - 2 * HOUR
    deadlines.at("deposit", row.id, ends - 2 * HOUR)
    session.commit()
    desk.forward(ends - 11 * HOUR - clock.now())
    assert (desk.due(row.id), desk.jobs()) == (["hold_renew"], [])
    assert desk.deposit(rental).intent_id == row.intent_id
    heard.append(rental)
    desk.forward(ends - HOUR - clock.now())
    assert desk.due(row.id) == ["deposit"]
    assert (desk.due(row.id), desk.jobs()) == (["hold_renew"], [])
    assert desk.deposit(rental).intent_id != row.intent_id


def test_while_damage_is_heard_it_is_kept_and_renewed(desk: Desk, heard: list[str]) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    heard.append(rental)
    row = desk.deposit(rental)
    desk.forward(deposit.INSPECTION)
    assert desk.due(row.id) == ["deposit"]
    assert (desk.jobs(), desk.deposit(rental).state) == ([], "held")
    desk.forward(3 * DAY)
    assert desk.due(row.id) == ["hold_renew"]
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, desk.deposit(rental).intent_id != row.intent_id) == ("held", True)
    heard.clear()
    transactional(deposit.hearing_over)(rental)
    release()
    assert desk.jobs() == []
    assert desk.deposit(rental).state == "released"


def test_a_hearing_nobody_decides_lets_it_go_and_goes_on_without(desk: Desk, heard: list[str]) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    heard.append(rental)
    row = desk.deposit(rental)
    ends = clock.now() + deposit.INSPECTION + deposit.LONGEST_HEARING
    while clock.now() + DAY < ends:
        desk.forward(DAY)
        desk.due(row.id)
        assert (desk.jobs(), desk.deposit(rental).state) == ([], "held")
    assert lies_held(desk, rental) == [DEPOSIT]
    desk.forward(DAY)
    assert "deposit" in desk.due(row.id)
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, lies_held(desk, rental)) == ("released", [])
    assert desk.facts(rental)[-2:] == ["DepositLetGo", "PaymentReleased"]
    assert take(rental, 12_000) == (None, 12_000)
    assert desk.due(row.id) == []


def test_a_deposit_kept_too_long_without_a_due_row_is_let_go_when_its_hold_would_be_renewed(
    desk: Desk, heard: list[str]
) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    heard.append(rental)
    row = desk.deposit(rental)
    deadlines.drop(row.id, "deposit")
    session.get_one(type(row), row.id).inspect_until = clock.now() - deposit.LONGEST_HEARING
    session.commit()
    desk.forward(4 * DAY + 10 * HOUR)
    assert desk.due(row.id) == ["hold_renew"]
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, desk.facts(rental)[-2]) == ("released", "DepositLetGo")


def test_a_hearing_that_ends_within_the_inspection_leaves_it_to_the_due_row(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    transactional(deposit.hearing_over)(rental)
    release()
    assert (desk.jobs(), desk.deposit(rental).state) == ([], "held")


def test_a_hearing_takes_what_was_decided_and_the_rest_is_freed(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    row = desk.deposit(rental)
    before = desk.books(rental)["owner_payable"]
    assert take(rental, 12_000) == (row.id, 0)
    assert desk.jobs() == []
    found = desk.deposit(rental)
    assert (found.state, found.captured) == ("captured", 12_000)
    assert lies_held(desk, rental) == []
    assert before - desk.books(rental)["owner_payable"] == 12_000
    release()
    assert ledger.remaining(found).owner == eur(12_000)
    assert sum(ledger.trial_balance()["EUR"].values()) == 0


def test_beyond_the_deposit_the_rest_is_told_and_a_second_hearing_finds_nothing(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    assert take(rental, DEPOSIT + 700)[1] == 700
    assert take(rental, 100) == (None, 100)
    assert desk.jobs() == []
    assert desk.deposit(rental).captured == DEPOSIT


def test_what_dies_at_the_bank_before_it_is_taken_is_charged_instead(desk: Desk) -> None:
    rental = held(desk)
    assert desk.end(rental, 7000) == []
    intent = str(desk.deposit(rental).intent_id)
    commands.door().release(intent, key=f"bank:{intent}")
    assert take(rental, 12_000)[1] == 0
    desk.jobs()
    found = desk.deposit(rental)
    assert (found.state, found.captured) == ("captured", 12_000)


def test_taken_during_its_renewal_it_is_taken_once(desk: Desk) -> None:
    rental = renewing(desk)
    desk.end(rental, 7000)
    assert take(rental, 12_000)[1] == 0
    assert desk.jobs() == []
    assert (desk.deposit(rental).state, desk.deposit(rental).captured) == ("captured", 12_000)
    assert lies_held(desk, rental) == []


def test_an_extension_and_a_corrected_end_leave_it_alone(desk: Desk) -> None:
    rental = held(desk)
    hold.raise_amount(rental, eur(2000))
    release()
    assert desk.jobs() == []
    assert desk.end(rental, 10_500) == []
    assert desk.end(rental, 8000) == []
    row = desk.deposit(rental)
    assert (row.state, row.amount, row.owed) == (State.HELD, DEPOSIT, None)
    assert sum(one.captured - one.refunded for one in desk.payments(rental)) == 8000
