"""Alerts from what a box says: each told once to whoever holds the car, then to the owner, and anew after it cleared."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from app import due
from app.cars import alerts, custody, hourly, reachability, readings
from app.cars.models import Car, HourlyReading, Reachability
from app.cars.watch import Seen
from app.kit import clock
from app.kit.db import db, session, transactional
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from carbox.box import BoxState, Reading
from tests.coverage.factories import doing
from tests.rentals.scene import Scene, make

HOUR = timedelta(hours=1)


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make(hours=12)


def heard(scene: Scene, **values: Any) -> None:
    """The box says this now."""
    at = clock.real_now()
    found = {name: Reading(name, value, at, retained=False) for name, value in values.items()}
    readings.take(scene.box.username, BoxState(found))
    session.expire_all()


def told(scene: Scene, kind: str) -> list[dict[str, Any]]:
    """The facts of this kind about the car, oldest first."""
    rows = select(FactRow.data).where(FactRow.kind == kind, FactRow.data["car"].astext == scene.car_id)
    return list(session.scalars(rows.order_by(FactRow.seq)))


def standing(scene: Scene) -> set[str]:
    session.expire_all()
    return set(alerts.standing(scene.box))


def lent(scene: Scene) -> None:
    """Max has the car."""

    @transactional
    def take() -> None:
        car = session.get_one(Car, scene.car_id, with_for_update=True)
        at = custody.next_instant(car)
        custody.take(car, holder="driver", person=scene.max.id, rental=scene.rental_id, at=at)

    take()


def comes_due(kind: str, ref: str) -> None:
    """Time passes until this deadline, and it alone is worked off."""
    session.rollback()
    at = session.execute(
        select(Deadline.due_at).where(Deadline.kind == kind, Deadline.ref == ref)
    ).scalar_one_or_none()
    assert at is not None, f"no {kind} for {ref}"
    session.rollback()
    wait = at - clock.now()
    if wait > timedelta(0):
        clock.forward(wait)
    due._take(kind, ref, at)
    session.expire_all()


def waits(kind: str, ref: str) -> bool:
    session.rollback()
    found = select(Deadline.ref).where(Deadline.kind == kind, Deadline.ref == ref)
    return session.execute(found).first() is not None


CAUSES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "charge_low": ("ChargeLow", {"charge_percent": 15.0}, {"charge_percent": 60.0}),
    "battery_12v_low": (
        "TwelveVoltLow",
        {"battery_12v": 11.7, "drivable": False},
        {"battery_12v": 12.6, "drivable": False},
    ),
    "alarm": ("AlarmSounded", {"alarm": True}, {"alarm": False}),
    "tyre": ("TyreSoft", {"tyre_kpa": (220.0, 220.0, 140.0, 220.0)}, {"tyre_kpa": (220.0,) * 4}),
}


def test_a_car_that_is_towed_is_told_once_until_it_drives_again(scene: Scene) -> None:
    heard(scene, drivable=False)
    for _ in range(2):
        heard(scene, carried=True)
        heard(scene, drivable=False)
    assert [one["rental"] for one in told(scene, "CarCarried")] == [None]
    heard(scene, drivable=True)
    heard(scene, drivable=False)
    assert standing(scene) == set()
    assert len(told(scene, "CarCarried")) == 1


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_told_once_until_it_has_cleared(scene: Scene, cause: str) -> None:
    kind, bad, good = CAUSES[cause]
    for _ in range(3):
        heard(scene, **bad)
    assert [one["rental"] for one in told(scene, kind)] == [None]
    assert standing(scene) == {cause}
    heard(scene, **good)
    assert standing(scene) == set()
    heard(scene, **bad)
    assert len(told(scene, kind)) == 2


@pytest.mark.parametrize("cause", CAUSES)
def test_whoever_holds_the_car_is_told_first_and_the_owner_an_hour_later(scene: Scene, cause: str) -> None:
    kind, bad, _ = CAUSES[cause]
    lent(scene)
    heard(scene, **bad)
    assert [one["rental"] for one in told(scene, kind)] == [scene.rental_id]
    assert told(scene, "AlertStands") == []
    comes_due("alert_owner", f"{scene.car_id}/{cause}")
    [stands] = told(scene, "AlertStands")
    assert (stands["cause"], stands["rental"]) == (cause, scene.rental_id)
    heard(scene, **bad)
    assert len(told(scene, "AlertStands")) == 1


@pytest.mark.parametrize("cause", CAUSES)
def test_what_the_driver_mends_in_time_never_reaches_the_owner(scene: Scene, cause: str) -> None:
    _, bad, good = CAUSES[cause]
    lent(scene)
    heard(scene, **bad)
    heard(scene, **good)
    assert not waits("alert_owner", f"{scene.car_id}/{cause}")


def test_the_owner_who_holds_the_car_is_told_once_and_nobody_later(scene: Scene) -> None:
    heard(scene, charge_percent=15.0)
    assert not waits("alert_owner", f"{scene.car_id}/charge_low")


def test_what_the_broker_kept_raises_no_alert(scene: Scene) -> None:
    kept = Reading("charge_percent", 5.0, clock.real_now(), retained=True)
    readings.take(scene.box.username, BoxState({"charge_percent": kept}))
    session.expire_all()
    assert standing(scene) == set()


def test_a_reading_that_changes_nothing_costs_no_further_statement(scene: Scene) -> None:
    heard(scene, charge_percent=15.0, door_rr=True, drivable=False)
    username, said = scene.box.username, []
    again = Reading("charge_percent", 15.0, clock.real_now(), retained=False)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement.split(maxsplit=1)[0])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        readings.take(username, BoxState({"charge_percent": again}))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert said == ["SELECT", "UPDATE"]


# -- doors -----------------------------------------------------------------------------------------------------------


def test_a_door_left_open_is_told_after_ten_minutes(scene: Scene) -> None:
    lent(scene)
    heard(scene, door_rr=True, drivable=False)
    heard(scene, door_rr=True, drivable=False)
    assert told(scene, "DoorLeftOpen") == []
    comes_due("door_open", scene.car_id)
    [open_door] = told(scene, "DoorLeftOpen")
    assert (open_door["doors"], open_door["rental"]) == ("door_rr", scene.rental_id)
    comes_due("alert_owner", f"{scene.car_id}/door_open")
    assert [one["cause"] for one in told(scene, "AlertStands")] == ["door_open"]


@pytest.mark.parametrize("then", [{"door_rr": False}, {"drivable": True}])
def test_a_door_that_is_closed_or_a_car_that_drives_off_is_no_alert(
    scene: Scene, then: dict[str, Any]
) -> None:
    heard(scene, door_rr=True, drivable=False)
    heard(scene, **then)
    assert not waits("door_open", scene.car_id)
    alerts.door_left_open(scene.car_id)
    assert told(scene, "DoorLeftOpen") == []


# -- the plug --------------------------------------------------------------------------------------------------------


def with_rule(scene: Scene, **rule: Any) -> None:
    scene.car.charge_rule = rule
    session.commit()


def test_a_car_that_came_back_without_the_cable_its_rule_wants_is_told_to_the_owner(scene: Scene) -> None:
    with_rule(scene, plug_below=40)
    heard(scene, charge_percent=35.0, plugged=False, drivable=False)
    clock.forward(HOUR)
    heard(scene, charge_percent=35.0, plugged=False, drivable=False)
    assert [one["percent"] for one in told(scene, "NotPluggedIn")] == [35]
    heard(scene, plugged=True)
    assert standing(scene) == set()


def test_a_car_that_is_out_need_not_be_plugged_in(scene: Scene) -> None:
    with_rule(scene, plug_below=40)
    lent(scene)
    heard(scene, charge_percent=35.0, plugged=False, drivable=False)
    assert told(scene, "NotPluggedIn") == []


# -- 12 V ------------------------------------------------------------------------------------------------------------


def test_a_battery_that_fell_in_a_drivers_hands_says_in_whose(scene: Scene) -> None:
    heard(scene, battery_12v=12.6, drivable=False)
    clock.forward(HOUR)
    lent(scene)
    for volts in (12.5, 12.1, 11.8):
        clock.forward(HOUR)
        heard(scene, battery_12v=volts, drivable=False)
    [low] = told(scene, "TwelveVoltLow")
    assert (low["fell_with"], low["millivolts"]) == (scene.rental_id, 11800)


def fills(scene: Scene, volts_per_day: float) -> None:
    """Five days of rest behind us, and a new day begins."""
    now = hourly.hour_of(clock.now())
    midnight = now.replace(hour=0) + timedelta(days=1)
    for ago in range(120, 0, -6):
        rest = Seen(battery_12v=12.4 - volts_per_day * ago / 24, drivable=False)
        doing(hourly.note, scene.car.no, midnight - timedelta(hours=ago), rest, used=False)
    session.rollback()
    clock.forward(midnight + timedelta(minutes=1) - clock.now())


def test_a_battery_that_will_be_low_in_days_is_told_before_it_is(scene: Scene) -> None:
    heard(scene, battery_12v=12.4, drivable=False)
    fills(scene, volts_per_day=-0.2)
    for _ in range(2):
        heard(scene, battery_12v=12.4, drivable=False)
        clock.forward(HOUR)
    [falling] = told(scene, "TwelveVoltFalling")
    assert (falling["rental"], falling["millivolts_per_day"]) == (None, -200)
    assert standing(scene) == {"battery_12v_falling"}


def test_a_battery_that_holds_is_told_nothing(scene: Scene) -> None:
    heard(scene, battery_12v=12.4, drivable=False)
    fills(scene, volts_per_day=0.0)
    heard(scene, battery_12v=12.4, drivable=False)
    assert standing(scene) == set()


# -- what is kept ----------------------------------------------------------------------------------------------------


def test_an_hour_is_kept_once_and_knows_whether_the_car_was_used_in_it(scene: Scene) -> None:
    clock.forward(hourly.hour_of(clock.now()) + HOUR - clock.now())
    heard(scene, charge_percent=70.0, drivable=False, battery_12v=12.6)
    heard(scene, charge_percent=69.0, drivable=True, battery_12v=14.1)
    heard(scene, charge_percent=66.0, drivable=False, battery_12v=12.7)
    rows = hourly.of(scene.car.no, clock.now())
    assert [(one.charge_percent, one.battery_12v, one.used) for one in rows] == [(70.0, 12.6, True)]


def test_hours_and_places_are_forgotten_after_sixty_days(scene: Scene) -> None:
    for _ in range(2):
        heard(scene, charge_percent=70.0, drivable=False, locked=True)
        clock.forward(HOUR)
    no = scene.car.no
    assert session.scalars(select(HourlyReading.hour).where(HourlyReading.car_no == no)).first()
    assert session.scalars(select(Reachability.seen).where(Reachability.car_no == no)).first() is not None
    session.rollback()
    clock.forward(timedelta(days=61))
    due.forget()
    assert session.scalars(select(HourlyReading.hour).where(HourlyReading.car_no == no)).first() is None
    assert session.scalars(select(Reachability.seen).where(Reachability.car_no == no)).first() is None


# -- reachability ----------------------------------------------------------------------------------------------------


def parked(scene: Scene, latitude: float) -> None:
    heard(scene, latitude=latitude, longitude=2.3522, drivable=False, locked=True)


def test_a_place_where_the_box_is_mostly_silent_is_warned_of_at_the_lock(scene: Scene) -> None:
    scene.set_state("active")
    garage, street = 48.8601, 48.8701
    parked(scene, garage)
    clock.forward(timedelta(hours=9))
    parked(scene, garage)
    assert scene.unmet("lock") == ["reachable"]
    parked(scene, street)
    assert scene.unmet("lock") == []


def test_a_place_where_it_is_heard_each_hour_is_fine(scene: Scene) -> None:
    for _ in range(8):
        parked(scene, 48.8601)
        clock.forward(timedelta(minutes=20))
        parked(scene, 48.8601)
        clock.forward(timedelta(minutes=20))
        parked(scene, 48.8601)
        clock.forward(timedelta(minutes=20))
    found = reachability.of(scene.car.no, reachability.cell(scene.car.no, 48.8601, 2.3522))
    assert found.unseen == 0
    assert found.seen >= 7


def test_a_silence_on_the_road_says_nothing_about_a_place(scene: Scene) -> None:
    heard(scene, latitude=48.8601, longitude=2.3522, drivable=True, locked=False)
    clock.forward(timedelta(hours=9))
    parked(scene, 48.8601)
    assert reachability.of(scene.car.no, reachability.cell(scene.car.no, 48.8601, 2.3522)).unseen == 0


def test_a_long_history_can_still_learn(scene: Scene) -> None:
    place = reachability.cell(scene.car.no, 48.8601, 2.3522)
    doing(reachability.count, scene.car.no, place, reachability.Hours(400, 0))
    doing(reachability.count, scene.car.no, place, reachability.Hours(0, 24))
    found = reachability.of(scene.car.no, place)
    assert (found.seen, found.unseen) == (200, 24)
