"""The forecast of the charge, rule by rule; how well it does over weeks is measured by bench/charge_backtest.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.cars.charge_forecast import Habits, Now, Sample, Use, charged_since_use, forecast, learn

AT = datetime(2027, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASLEEP = Now(AT, 60.0, charging=False, percent_per_km=0.6)
CHARGING = Now(AT, 40.0, charging=True, charge_kw=4.6, capacity_kwh=17.0)
HABITS = Habits(drain_per_day=1.0, charge_per_hour=20.0, use_per_hour=5.0, plugs_after_use=0.0)


def test_an_instant_that_is_now_has_the_charge_that_was_read() -> None:
    assert forecast(ASLEEP, HABITS, [], AT).percent == 60.0


def test_a_sleeping_car_loses_its_drain() -> None:
    assert forecast(ASLEEP, HABITS, [], AT + 48 * HOUR).percent == pytest.approx(58.0)


def test_a_charging_car_rises_by_the_power_that_flows() -> None:
    found = forecast(CHARGING, HABITS, [], AT + HOUR)
    assert found.percent == pytest.approx(40 + 4.6 * 0.88 / 17 * 100)


def test_without_a_known_power_it_rises_as_it_was_seen_to() -> None:
    unknown = replace(CHARGING, charge_kw=None)
    assert forecast(unknown, HABITS, [], AT + HOUR).percent == pytest.approx(60.0)


def test_a_rise_that_nobody_has_ever_seen_is_not_counted_on() -> None:
    unknown = replace(CHARGING, charge_kw=None)
    assert forecast(unknown, replace(HABITS, charge_per_hour=None), [], AT + HOUR).percent == 40.0


def test_it_charges_as_far_as_its_limit() -> None:
    limited = replace(CHARGING, limit_percent=80.0)
    assert forecast(limited, HABITS, [], AT + 12 * HOUR).percent == 80.0


def test_the_last_tenth_takes_longer() -> None:
    nearly = replace(CHARGING, charge_percent=90.0, charge_kw=None)
    assert 95 < forecast(nearly, HABITS, [], AT + timedelta(minutes=30)).percent < 99


def test_a_use_takes_what_its_stated_distance_needs() -> None:
    use = Use(AT + HOUR, AT + 3 * HOUR, km=50)
    assert forecast(ASLEEP, HABITS, [use], AT + 3 * HOUR).percent == pytest.approx(60 - 30, abs=0.2)


def test_a_use_without_a_distance_takes_what_uses_usually_take() -> None:
    use = Use(AT + HOUR, AT + 3 * HOUR)
    assert forecast(ASLEEP, HABITS, [use], AT + 3 * HOUR).percent == pytest.approx(60 - 10, abs=0.2)


def test_of_a_use_under_way_only_the_rest_lies_ahead() -> None:
    use = Use(AT - 2 * HOUR, AT + 2 * HOUR, km=50)
    assert forecast(ASLEEP, HABITS, [use], AT + 2 * HOUR).percent == pytest.approx(60 - 15)


def test_a_use_that_is_over_or_later_takes_nothing() -> None:
    uses = [Use(AT - 5 * HOUR, AT - 2 * HOUR, km=50), Use(AT + 9 * HOUR, AT + 10 * HOUR, km=50)]
    assert forecast(ASLEEP, HABITS, uses, AT + HOUR).percent == pytest.approx(60, abs=0.1)


def test_under_the_owners_rule_the_car_is_plugged_in_after_a_use() -> None:
    use = Use(AT, AT + HOUR, km=50)
    without = forecast(ASLEEP, HABITS, [use], AT + 3 * HOUR).percent
    by_rule = forecast(ASLEEP, HABITS, [use], AT + 3 * HOUR, plug_below=40).percent
    assert without == pytest.approx(30, abs=0.2)
    assert by_rule > 60


def test_no_charge_is_below_nothing_or_above_all() -> None:
    use = Use(AT, AT + HOUR, km=500)
    empty = forecast(ASLEEP, HABITS, [use], AT + HOUR)
    full = forecast(CHARGING, HABITS, [], AT + 48 * HOUR)
    assert (empty.percent, empty.low) == (0.0, 0.0)
    assert (full.percent, full.high) == (100.0, 100.0)


def test_doubt_grows_with_time_and_with_what_is_driven() -> None:
    def width(uses: list[Use], hours: int) -> float:
        found = forecast(ASLEEP, HABITS, uses, AT + hours * HOUR)
        return found.high - found.low

    driven = [Use(AT + HOUR, AT + 3 * HOUR)]
    assert width([], 1) < width([], 48) < width(driven, 48)


# -- habits ----------------------------------------------------------------------------------------------------------


def hours(
    percents: list[float], *, used: bool = False, charging: bool = False, start: datetime = AT
) -> list[Sample]:
    return [
        Sample(start + index * HOUR, percent, plugged=charging, charging=charging, used=used)
        for index, percent in enumerate(percents)
    ]


def test_nothing_seen_leaves_the_defaults() -> None:
    assert learn([]) == Habits()


def test_the_drain_is_learned_from_what_was_lost_asleep() -> None:
    assert learn(hours([60 - index / 12 for index in range(49)])).drain_per_day == pytest.approx(2.0)


def test_half_a_night_says_nothing_about_the_drain() -> None:
    assert learn(hours([60 - index for index in range(6)])).drain_per_day == Habits().drain_per_day


def test_the_rise_is_learned_from_whole_hours_on_the_cable() -> None:
    assert learn(hours([20, 38, 56, 74], charging=True)).charge_per_hour == pytest.approx(18)


def test_a_charger_that_is_done_within_the_hour_is_known_by_the_most_it_brought() -> None:
    one = [*hours([30], charging=True), *hours([95, 94], start=AT + HOUR)]
    assert learn(one).charge_per_hour == pytest.approx(65)


def test_use_and_plug_are_learned_from_what_happened_after_each_use() -> None:
    used = hours([80, 74, 68], used=True)
    after = hours([62, 80], charging=True, start=AT + 3 * HOUR)
    found = learn([*used, *after])
    assert found.use_per_hour == pytest.approx(6)
    assert found.plugs_after_use > 0.6


def test_between_two_uses_it_is_known_whether_the_car_was_charged() -> None:
    used, start = hours([80, 60], used=True), AT + 2 * HOUR
    idle, cable = hours([50, 50], start=start), hours([50, 68], charging=True, start=start)
    assert charged_since_use([*used, *idle], 50, plugged=False) is False
    assert charged_since_use([*used, *cable], 68, plugged=True) is True
    assert charged_since_use([*used, *idle], 80, plugged=False) is True
    assert charged_since_use(used, 60, plugged=False) is None
    assert charged_since_use(idle, 50, plugged=False) is None
