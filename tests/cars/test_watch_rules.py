"""Which alerts stand, how the 12 V battery falls and in whose hands, what a box has proved: pure rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cars import capabilities, reachability, twelve_volt, watch
from app.cars.reachability import Hours
from app.cars.twelve_volt import Held, Rest
from app.cars.watch import Seen, causes
from carbox.box import BoxState, Reading

AT = datetime(2027, 3, 1, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NONE: frozenset[str] = frozenset()


def of(*names: str) -> frozenset[str]:
    return frozenset(names)


# -- what stands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "stood", "stands"),
    [
        (Seen(charge_percent=19), NONE, of("charge_low")),
        (Seen(charge_percent=25), NONE, NONE),
        (Seen(charge_percent=25), of("charge_low"), of("charge_low")),
        (Seen(charge_percent=30), of("charge_low"), NONE),
        (Seen(battery_12v=11.8, drivable=False), NONE, of("battery_12v_low")),
        (Seen(battery_12v=11.8, drivable=True), NONE, NONE),
        (Seen(battery_12v=14.2, drivable=True), of("battery_12v_low"), of("battery_12v_low")),
        (Seen(battery_12v=13.8, drivable=False, charging=True), of("battery_12v_low"), of("battery_12v_low")),
        (Seen(battery_12v=12.5, drivable=False), of("battery_12v_low"), NONE),
        (Seen(tyre_kpa=(220, 220, 150, 220)), NONE, of("tyre")),
        (Seen(tyre_kpa=(220, 220, 178, 220)), of("tyre"), of("tyre")),
        (Seen(tyre_kpa=(220, 215, 210, 220)), of("tyre"), NONE),
        (Seen(tyre_alert=(0, 0, 1, 0)), NONE, of("tyre")),
        (Seen(), of("tyre", "charge_low", "charge_short"), of("tyre", "charge_low", "charge_short")),
        (Seen(open_doors=("trunk",), drivable=False), of("door_open"), of("door_open")),
        (Seen(open_doors=("trunk",), drivable=True), of("door_open"), NONE),
        (Seen(carried=True, drivable=False), NONE, of("carried")),
        (Seen(drivable=False), of("carried"), of("carried")),
        (Seen(drivable=True), of("carried"), NONE),
        (Seen(alarm=True), NONE, of("alarm")),
        (Seen(), of("alarm"), of("alarm")),
        (Seen(alarm=False), of("alarm"), NONE),
        (Seen(plugged=True), of("not_plugged"), NONE),
        (Seen(plugged=False), of("not_plugged"), of("not_plugged")),
    ],
)
def test_a_cause_begins_at_one_limit_and_ends_at_another(
    seen: Seen, stood: frozenset[str], stands: frozenset[str]
) -> None:
    assert causes(seen, stood) == stands


def test_a_value_of_unknown_age_is_no_reason_for_an_alert() -> None:
    assert watch.seen({"charge_percent": {"value": 5, "at": None}}) == Seen()


def test_what_a_box_tells_once_counts_until_it_tells_whether_the_car_is_on() -> None:
    def state(carried_at: str, on_at: str | None) -> dict[str, Any]:
        return {"carried": {"value": True, "at": carried_at}, "drivable": {"value": False, "at": on_at}}

    early, late = "2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z"
    assert watch.seen(state(late, early)).carried is True
    assert watch.seen(state(late, None)).carried is True
    assert watch.seen(state(early, late)).carried is None


def test_the_wheels_that_want_air_are_named() -> None:
    assert watch.soft_wheels(Seen(tyre_kpa=(220, 150, 220, 220))) == (1,)
    assert watch.soft_wheels(Seen(tyre_kpa=(220, 150, 220, 220), tyre_alert=(0, 0, 0, 2))) == (3,)


@pytest.mark.parametrize(
    ("seen", "below", "wanted"),
    [
        (Seen(charge_percent=30, plugged=False, drivable=False), 40, True),
        (Seen(charge_percent=50, plugged=False, drivable=False), 40, False),
        (Seen(charge_percent=30, plugged=True, drivable=False), 40, False),
        (Seen(charge_percent=30, plugged=None, drivable=False), 40, False),
        (Seen(charge_percent=30, plugged=False, drivable=True), 40, False),
        (Seen(charge_percent=30, plugged=False, drivable=False), None, False),
    ],
)
def test_only_a_resting_car_below_the_rule_wants_the_plug(
    seen: Seen, below: int | None, *, wanted: bool
) -> None:
    assert watch.wants_plug(seen, below) is wanted


# -- 12 V ------------------------------------------------------------------------------------------------------------


def rests(*volts: float, every: timedelta = 6 * HOUR) -> list[Rest]:
    return [Rest(AT + index * every, one) for index, one in enumerate(volts)]


def test_a_falling_battery_is_low_in_so_many_days() -> None:
    found = twelve_volt.trend(rests(*(12.6 - 0.025 * index for index in range(12))), AT + 3 * DAY)
    assert found is not None
    assert found.volts_per_day == pytest.approx(-0.1)
    assert found.low_in_days == pytest.approx(4.5, abs=0.3)


def test_one_odd_reading_turns_no_trend() -> None:
    steady = [12.5] * 12
    steady[5] = 11.0
    found = twelve_volt.trend(rests(*steady), AT + 3 * DAY)
    assert found is not None
    assert (found.volts_per_day, found.low_in_days) == (0.0, None)


def test_a_few_hours_are_no_trend() -> None:
    assert twelve_volt.trend(rests(12.6, 12.5, 12.4, 12.3, 12.2, 12.1, every=HOUR), AT + DAY) is None


def test_a_fall_is_put_to_whoever_held_the_car_while_it_fell() -> None:
    held = [
        Held(None, AT - DAY, AT + 7 * HOUR),
        Held("ren_1", AT + 7 * HOUR, AT + 20 * HOUR),
        Held(None, AT + 20 * HOUR, None),
    ]
    found = twelve_volt.falls(rests(12.6, 12.6, 12.2, 11.9, 11.9, 11.9), held)
    assert [(one.rental, one.volts) for one in found] == [("ren_1", 0.7)]


def test_a_car_that_never_rested_in_their_hands_is_judged_as_they_left_it() -> None:
    held = [Held("ren_1", AT + HOUR, AT + 5 * HOUR), Held(None, AT + 5 * HOUR, None)]
    found = twelve_volt.falls(rests(12.6, 12.3, 12.3), held)
    assert [(one.rental, one.volts) for one in found] == [("ren_1", 0.3)]


def test_a_moment_in_the_owners_hands_is_not_blamed_for_what_the_next_driver_did() -> None:
    held = [
        Held("ren_1", AT - DAY, AT + HOUR),
        Held(None, AT + HOUR, AT + HOUR + timedelta(minutes=5)),
        Held("ren_2", AT + HOUR + timedelta(minutes=5), None),
    ]
    found = twelve_volt.falls(rests(12.6, 12.1, 11.9), held)
    assert [(one.rental, one.volts) for one in found] == [("ren_2", 0.7)]


# -- what a box has proved -------------------------------------------------------------------------------------------


def says(**values: Any) -> BoxState:
    return BoxState({name: Reading(name, value, AT, retained=False) for name, value in values.items()})


def known(**values: Any) -> dict[str, Any]:
    return {name: {"value": value, "at": "2027-03-01T08:00:00.000Z"} for name, value in values.items()}


def test_a_reading_proves_itself_once_it_was_seen_to_change() -> None:
    state = known(locked=True, door_fl=False, odometer_km=1200.0)
    delta = says(locked=False, door_fl=False, odometer_km=1203.0)
    assert capabilities.seen(state, delta, optimistic_lock=False) == {
        "locked": "strong",
        "door_fl": "weak",
        "odometer_km": "strong",
    }


def test_a_lock_that_may_only_echo_the_command_stays_weak() -> None:
    assert capabilities.seen(known(locked=True), says(locked=False), optimistic_lock=True) == {
        "locked": "weak"
    }


def test_what_the_broker_kept_proves_nothing() -> None:
    kept = BoxState({"locked": Reading("locked", False, AT, retained=True)})
    assert capabilities.seen(known(locked=True), kept, optimistic_lock=False) == {}


def test_a_position_is_proved_by_a_fix() -> None:
    assert capabilities.seen(
        {}, says(latitude=48.8, longitude=2.3, gps_lock=True), optimistic_lock=False
    ) == {"position": "strong"}
    assert capabilities.seen(
        {}, says(latitude=48.8, longitude=2.3, gps_lock=False), optimistic_lock=False
    ) == {"position": "weak"}


def test_a_capability_is_written_when_it_is_new_or_better_proved() -> None:
    weak = {"locked": {"seen_at": "a", "evidence": "weak"}}
    strong = {"locked": {"seen_at": "b", "evidence": "strong"}}
    assert capabilities.merged({}, {"locked": "weak"}, "a") == weak
    assert capabilities.merged(weak, {"locked": "weak"}, "b") is None
    assert capabilities.merged(weak, {"locked": "strong"}, "b") == strong
    assert capabilities.merged(strong, {"locked": "weak"}, "c") is None
    assert "locked" in capabilities.unseen(weak)
    assert "locked" not in capabilities.unseen(strong)


# -- reachability ----------------------------------------------------------------------------------------------------


def test_a_box_that_was_just_heard_counts_one_good_hour_and_a_silent_one_each_hour() -> None:
    assert reachability.counted(AT, AT + timedelta(minutes=25)) == Hours(1, 0)
    assert reachability.counted(AT, AT + timedelta(minutes=26)) == Hours(0, 1)
    assert reachability.counted(AT, AT + 5 * HOUR) == Hours(0, 5)
    assert reachability.counted(AT, AT + 9 * DAY) == Hours(0, 24)


@pytest.mark.parametrize(
    ("hours", "poor"),
    [
        (Hours(0, 5), False),
        (Hours(1, 5), True),
        (Hours(7, 3), False),
        (Hours(13, 7), True),
        (Hours(0, 0), False),
    ],
)
def test_a_place_is_poor_once_enough_hours_say_so(hours: Hours, *, poor: bool) -> None:
    assert hours.poor is poor


def test_a_cell_is_about_a_hundred_metres_and_says_no_place(app: object) -> None:
    here = reachability.cell(7, 48.85660, 2.35220)
    assert reachability.cell(7, 48.85662, 2.35222) == here
    assert reachability.cell(7, 48.8586, 2.3522) != here
    assert reachability.cell(8, 48.8566, 2.3522) != here
