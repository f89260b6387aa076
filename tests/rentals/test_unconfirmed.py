"""Where the insurer confirms first, driver and owner hear half an hour before the start that it has not."""

from app.coverage import confirm, master_policies
from app.kit.db import session
from tests.billing.desk import Desk
from tests.rentals.plans import Plan, plan

KINDS = ("cover_unconfirmed", "start_at_risk")


def told(one: Plan, rental: str) -> list[str]:
    return [
        kind
        for person in (one.lending.max, one.lending.olga)
        for kind in one.told(person, rental)
        if kind.split(".")[0] in KINDS
    ]


def near(one: Plan, hours: float) -> None:
    """Time goes by, and the box was heard a moment ago."""
    one.hear()
    one.forward(hours)
    one.hear()


def confirmed(rental: str) -> None:
    row = confirm.of(rental)
    assert row is not None
    insurer = master_policies.find(row.policy_id).insurer_id
    cover = row.cover_id
    session.rollback()
    assert confirm.confirmed_by_hand(cover, insurer)


def test_driver_and_owner_are_told_half_an_hour_before_the_start_and_not_earlier(desk: Desk) -> None:
    one = plan(desk, policy={"mode": "confirm_first"})
    rental = one.book(begins=1.2)
    near(one, 0.25)
    assert told(one, rental) == [], "an hour before, the insurer still has time"
    near(one, 0.5)
    assert told(one, rental) == ["cover_unconfirmed.driver", "cover_unconfirmed.owner"]
    kinds = [event["kind"] for event in one.get(one.lending.max, f"/rentals/{rental}/timeline")["items"]]
    assert "cover_unconfirmed" in kinds


def test_nobody_is_told_once_it_is_confirmed(desk: Desk) -> None:
    one = plan(desk, policy={"mode": "confirm_first"})
    rental = one.book(begins=1.2)
    confirmed(rental)
    near(one, 0.25)
    near(one, 0.5)
    assert told(one, rental) == []


def test_who_books_for_now_gives_the_insurer_five_minutes(desk: Desk) -> None:
    one = plan(desk, policy={"mode": "confirm_first"})
    rental = one.book(begins=0.15)
    near(one, 0.05)
    assert told(one, rental) == []
    near(one, 0.05)
    assert told(one, rental) == ["cover_unconfirmed.driver", "cover_unconfirmed.owner"]


def test_a_rental_that_is_off_waits_for_no_confirmation(desk: Desk) -> None:
    one = plan(desk, policy={"mode": "confirm_first"})
    rental = one.book(begins=1.2)
    one.post(one.lending.max, f"/rentals/{rental}/cancel", 200, {"reason": "another plan"})
    near(one, 0.9)
    assert told(one, rental) == []
