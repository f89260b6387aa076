"""What readings of single hours say of a battery's use, and what they do not say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from insurance.use import Ends, Hour, of_rental

TEN = datetime(2026, 11, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hours(*charges: float | None, first: datetime = TEN, **more: Any) -> list[Hour]:
    return [Hour(first + n * HOUR, charge, **more) for n, charge in enumerate(charges)]


def use(found: list[Hour], start: float | None = 60, end: float | None = 20, **more: Any) -> dict[str, Any]:
    """From half past nine to half past two."""
    ends = Ends(start, end, km=40, energy_wh=7000, seen=more.pop("seen", True))
    return of_rental(found, TEN - HOUR / 2, TEN + 4.5 * HOUR, ends)


def test_the_least_charge_is_of_the_hours_inside_and_both_ends() -> None:
    assert use(hours(50, 9, 12, 30))["charge_min_percent"] == 9
    assert use(hours(50, 40, 30, 25))["charge_min_percent"] == 20


def test_an_hour_that_is_not_wholly_inside_may_have_been_read_in_other_hands() -> None:
    early, late = Hour(TEN - HOUR, 3), Hour(TEN + 4 * HOUR, 2)
    found = use([early, *hours(50, 40, 30, 25), late])
    assert (found["charge_min_percent"], found["hours_read"]) == (20, 4)


def test_minutes_count_where_the_readings_on_both_sides_are_below() -> None:
    assert use(hours(9, 8, 12, 9), start=50, end=9)["minutes_below_10_percent"] == 60 + 90
    assert use(hours(9, 8, 7, 6), start=9, end=5)["minutes_below_10_percent"] == 5 * 60


@pytest.mark.parametrize(
    ("found", "more"),
    [
        (hours(9, None, None, 9), {}),
        (hours(9, 9, 9, 9), {"start": None}),
        (hours(9, 9, 9, 9), {"end": None}),
        (hours(9, 9, 9, 9), {"seen": False}),
        ([], {}),
    ],
)
def test_minutes_are_not_known_where_a_reading_is_missing(found: list[Hour], more: dict[str, Any]) -> None:
    assert use(found, **more)["minutes_below_10_percent"] is None


def test_a_lock_that_was_not_seen_leaves_the_last_charge_unknown() -> None:
    assert use(hours(50, 40, 30, 25), seen=False)["charge_end_percent"] is None


def test_twelve_volts_and_the_packs_temperature_are_the_extremes_inside() -> None:
    found = use(
        [Hour(TEN, 50, 12.6, celsius=4), Hour(TEN + HOUR, 45, 12.2, celsius=19), Hour(TEN + 2 * HOUR, 40)]
    )
    assert (found["battery_12v_min"], found["pack_celsius_min"], found["pack_celsius_max"]) == (12.2, 4, 19)
    assert use(hours(50, 40))["battery_12v_min"] is None


def test_before_it_was_taken_counts_back_to_the_last_use() -> None:
    night = TEN - 12 * HOUR
    stood = [
        Hour(night, 40, plugged=True, used=True),
        *(Hour(night + n * HOUR, 95, plugged=n < 6) for n in range(1, 11)),
    ]
    found = use(stood)["before"]
    assert found == {"plugged": True, "minutes_above_90_percent": 600, "hours_read": 10}


def test_of_a_car_that_was_not_heard_before_nothing_is_said() -> None:
    assert use([])["before"] == {"plugged": None, "minutes_above_90_percent": None, "hours_read": 0}
    unplugged = [Hour(TEN - n * HOUR, 95, plugged=False) for n in (5, 4, 3)]
    assert use(unplugged)["before"]["plugged"] is False
