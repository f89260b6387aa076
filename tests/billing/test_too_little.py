"""Less than a card can be asked for is waived: nobody is dunned or barred for it, and nothing of it is left behind."""

from datetime import timedelta

import pytest

from app.billing import capture, charge_extra, commands, deposit, hold, means, pickup
from app.billing.models import Payment
from app.billing.states import State
from app.kit import clock
from app.kit.db import release, transactional
from payments.money import LEAST, Money
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur

DAY = timedelta(days=1)


def corrected(desk: Desk, rental: str, total: int) -> list[BaseException]:
    """A late record of the box says what it came to."""
    capture.settle_end(rental, eur(total))
    release()
    return desk.jobs()


def stands(desk: Desk, rental: str) -> list[tuple[str, str, int | None, int]]:
    return [(row.purpose, row.state, row.owed, row.captured) for row in desk.payments(rental)]


def failed(rows: list[Payment], desk: Desk) -> list[str | None]:
    return [one.error for row in rows for one in desk.commands(row.id) if one.state == commands.FAILED]


@pytest.mark.parametrize("more", [1, 20, LEAST["EUR"] - 1])
def test_a_few_cents_more_than_was_held_are_waived(desk: Desk, more: int) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    assert desk.end(rental, 9000 + more) == []
    assert stands(desk, rental) == [("rent", "captured", 9000, 9000)]
    assert means.arrears(who[0].id) is None
    assert sum(desk.books(rental).values()) == 0


def test_what_a_card_can_be_asked_for_is_charged(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 9000 + LEAST["EUR"]) == []
    assert stands(desk, rental)[1] == ("extras", "captured", 50, 50)


def test_a_late_record_with_one_kilometre_more_bars_nobody(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    assert desk.end(rental, 6000) == []
    assert corrected(desk, rental, 6020) == []
    assert stands(desk, rental) == [("rent", "captured", 6000, 6000)]
    assert means.arrears(who[0].id) is None
    assert failed(desk.payments(rental), desk) == []


def test_what_was_waived_counts_again_once_more_is_owed(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 9020) == []
    assert corrected(desk, rental, 9090) == []
    assert stands(desk, rental) == [("rent", "captured", 9000, 9000), ("extras", "captured", 90, 90)]


def test_the_rest_of_an_amount_that_was_being_confirmed_is_waived(desk: Desk) -> None:
    who = desk.driver(ALWAYS_3DS)
    rental = desk.plan(9000, who=who)
    desk.jobs()
    assert desk.end(rental, 5000) == []
    assert desk.standing(rental) == "action_required"
    assert corrected(desk, rental, 5030) == []
    desk.confirm(rental, card=ALWAYS_3DS, three_ds="ok")
    desk.deliver(desk.event(rental, "payment_intent.succeeded"))
    assert desk.jobs() == []
    assert stands(desk, rental) == [("rent", "captured", 5000, 5000)]
    assert means.arrears(who[0].id) is None


def test_a_rental_that_cost_a_few_cents_frees_its_hold(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 20) == []
    assert stands(desk, rental) == [("rent", "released", 0, 0)]
    assert [one["status"] for one in desk.double_intents(rental)] == ["canceled"]
    assert failed(desk.payments(rental), desk) == []
    assert desk.books(rental) == {}


def test_a_cancellation_share_of_a_few_cents_frees_the_hold(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.cancel(rental, owed=49) == []
    assert desk.standing(rental) == "released"


def test_what_is_taken_already_keeps_a_few_cents(desk: Desk) -> None:
    """Giving back knows no least: of money that is there any part may stay."""
    rental = desk.held(9000)
    assert desk.end(rental, 6000) == []
    assert corrected(desk, rental, 20) == []
    row = desk.payment(rental)
    assert (row.state, row.owed, row.captured - row.refunded) == ("captured", 20, 20)


def test_arrears_that_shrink_to_a_few_cents_are_over(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(9000, who=who)
    desk.jobs()
    assert desk.end(rental, 5000) == []
    assert means.arrears(who[0].id) == eur(5000)
    assert corrected(desk, rental, 20) == []
    assert desk.standing(rental) == "released"
    assert means.arrears(who[0].id) is None
    assert desk.payment(rental).receivable == 0


def test_a_hold_is_never_below_what_a_card_can_be_asked_for(desk: Desk) -> None:
    rental = desk.held(20, deposited=10)
    assert sorted((row.purpose, row.amount) for row in desk.payments(rental)) == [
        ("deposit", 50),
        ("rent", 50),
    ]
    assert {row.state for row in desk.payments(rental)} == {"held"}


def test_an_extension_by_a_few_cents_is_secured(desk: Desk) -> None:
    rental = desk.held(9000)
    made = hold.raise_amount(rental, eur(20))
    release()
    assert desk.jobs() == []
    (extra,) = [row for row in desk.payments(rental) if row.id == made]
    assert (extra.state, extra.amount) == ("held", 50)
    assert desk.standing(rental) == "held"
    assert desk.end(rental, 9020) == []
    assert stands(desk, rental) == [("rent", "captured", 9000, 9000), ("extras", "released", 0, 0)]


def test_a_long_rental_at_a_few_cents_is_not_taken_at_the_pickup(desk: Desk) -> None:
    rental = desk.held(9000)
    pickup.picked_up(rental, clock.now() + 10 * DAY, eur(20))
    release()
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert failed(desk.payments(rental), desk) == []


def test_a_deposit_is_not_taken_of_for_a_few_cents(desk: Desk) -> None:
    rental = desk.held(9000, deposited=50_000)
    assert desk.end(rental, 6000) == []
    assert transactional(deposit.take)(rental, 49) == (None, 49)
    release()
    assert desk.deposit(rental).state == State.HELD


def test_a_hearing_that_leaves_a_few_cents_charges_nothing(desk: Desk) -> None:
    driver, _ = desk.driver(VISA)
    made = charge_extra.charge_extra(
        rental="ren_" + "0" * 32,
        driver=driver.id,
        payee=desk.payee,
        community=None,
        amount=Money(29, "GBP"),
        starts_at=clock.now(),
    )
    assert made is None
    assert means.arrears(driver.id) is None
