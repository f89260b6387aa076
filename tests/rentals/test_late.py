"""Late: the one forecast there is, the driver's word, and what follows from it."""

from typing import Any

import pytest

from app.kit import clock
from app.kit.clock import z
from tests.billing.desk import Desk
from tests.rentals.plans import HOUR, Plan, plan


@pytest.fixture
def one(desk: Desk) -> Plan:
    return plan(desk)


def late(one: Plan, rental: str, hours: float, status: int = 200) -> Any:
    """Max says to be back in so many hours."""
    at = z(clock.now() + hours * HOUR)
    return one.post(one.lending.max, f"/rentals/{rental}/late", status, {"back_at": at})


def test_the_drivers_word_is_the_forecast_for_owner_and_next_driver(one: Plan) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=2, hours=2, who=one.nina)
    shown = late(one, rental, 2.5)
    assert shown["late"] == {"since": shown["span"]["to"], "forecast": shown["late"]["forecast"]}
    assert one.told(one.lending.olga, rental)[-1] == "late_forecast.owner"
    assert one.told(one.nina, waiting)[-1] == "late_forecast.next_driver"
    body = one.message(one.nina, "late_forecast.next_driver")["body"]
    assert "is expected back on" in body
    one.forward(1.1)
    assert one.get(one.lending.olga, f"/rentals/{rental}")["late"]["forecast"] == shown["late"]["forecast"]
    assert one.told(one.lending.olga, rental)[-1] == "rental_late.owner"
    assert one.told(one.nina, waiting).count("late_forecast.next_driver") == 2
    assert "rental_late.next_driver" not in one.told(one.nina, waiting)


def test_who_comes_after_the_car_is_back_is_not_told_but_of_better_news(one: Plan) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=3, who=one.nina)
    late(one, rental, 1.5)
    assert one.told(one.nina, waiting) == ["rental_booked.driver", "booked_at_risk.driver"]
    one.forward(1.1)
    assert "late_forecast.next_driver" not in one.told(one.nina, waiting)
    late(one, rental, 2.5)
    assert one.told(one.nina, waiting)[-1] == "late_forecast.next_driver"


def test_a_car_that_is_late_into_the_next_drivers_time_is_locked_all_the_same(one: Plan) -> None:
    rental = one.out(hours=1)
    one.book(begins=2, who=one.nina)
    one.forward(2.5)
    assert one.ends(rental)["state"] == "ended"
    assert [kind for kind, _, _ in one.slot(one.lending.car_id, rental)] == ["rental"]


def test_a_forecast_that_has_passed_is_none(one: Plan) -> None:
    rental = one.out(hours=1)
    late(one, rental, 1.2)
    one.forward(1.5)
    assert one.get(one.lending.max, f"/rentals/{rental}")["late"]["forecast"] is None


def test_a_late_car_is_offered_to_nobody_until_it_is_expected_back(one: Plan) -> None:
    rental = one.out(hours=1)
    late(one, rental, 3)
    ends = {kind: to for kind, _, to in one.slot(one.lending.car_id, rental)}
    assert ends["rental"] > clock.now() + 2.9 * HOUR
    assert ends["buffer"] > ends["rental"]


@pytest.mark.parametrize(("after", "first", "then"), [(0, 3, 2), (1.02, 3, 0.1), (1.02, None, 0.1)])
def test_the_last_word_counts_where_it_is_an_earlier_time_too(
    one: Plan, after: float, first: float | None, then: float
) -> None:
    rental = one.out(hours=1)
    one.forward(after)
    if first is not None:
        late(one, rental, first)
    said = late(one, rental, then)["late"]["forecast"]
    assert one.get(one.lending.olga, f"/rentals/{rental}")["late"]["forecast"] == said
    ends = {kind: to for kind, _, to in one.slot(one.lending.car_id, rental)}
    assert ends["buffer"] > ends["rental"] >= clock.now() + then * HOUR


def test_who_waits_reads_the_forecast_where_the_car_is_not_back(one: Plan) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=1.6, who=one.nina)
    late(one, rental, 2)
    one.forward(1.7)
    found = one.get(one.nina, f"/rentals/{waiting}/readiness?step=unlock")["conditions"]
    remedy = next(item["remedy"] for item in found if item["code"] == "car_back")
    assert "its driver expects to be back on" in remedy


def test_lateness_that_is_told_is_reported_where_the_policy_asks_for_it(desk: Desk) -> None:
    one = plan(desk, policy={"late": {"rule": "reported", "hours": 4}})
    rental = one.out(hours=1)
    late(one, rental, 3)
    assert one.cover(rental).reported_late_at is not None
    one.forward(2)
    one.ends(rental)
    cover = one.cover(rental)
    assert cover.own_damage_to == cover.to_at


def test_a_forecast_lies_ahead_and_within_a_day_of_the_planned_end(one: Plan) -> None:
    rental = one.out(hours=1)
    for hours in (-1, 0, 26):
        assert late(one, rental, hours, 422)["errors"][0]["pointer"] == "/back_at"


def test_only_who_has_the_car_says_when_it_is_back(one: Plan) -> None:
    rental = one.book(begins=2)
    assert late(one, rental, 3, 409)["type"] == "/problems/step-not-allowed"
    body = {"back_at": z(clock.now() + HOUR)}
    one.post(one.lending.olga, f"/rentals/{rental}/late", 403, body)
    one.post(one.nina, f"/rentals/{rental}/late", 404, body)


def test_the_owner_reads_no_place_in_a_forecast(one: Plan) -> None:
    rental = one.out(hours=1)
    one.lending.reads(latitude=48.0, longitude=2.0)
    one.forward(2)
    shown = one.get(one.lending.olga, f"/rentals/{rental}")
    assert shown["late"]["forecast"] is None, "nothing is guessed from where the car is"
    events = one.get(one.lending.olga, f"/rentals/{rental}/timeline")["items"]
    assert not [event for event in events if "lat" in event or "48.0" in event["text"]]
