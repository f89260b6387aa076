"""What the API shows beside the readings: forecast, what stands, the 12 V trend to the owner, what a box has proved."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.cars import charge_plan, hourly
from app.cars.watch import Seen
from app.kit import clock
from app.kit.db import session
from app.rentals import cancel, outcome
from tests.cars.test_alerts import heard, lent
from tests.cars.test_look import asks
from tests.coverage.factories import doing
from tests.rentals.scene import Scene, make
from tests.rentals.test_ends import done
from tests.rentals.test_start_check import booked

HOUR = timedelta(hours=1)


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make()


def state(app: Flask, scene: Scene, *, by: str = "olga") -> dict[str, Any]:
    person = scene.olga if by == "olga" else scene.max
    found: dict[str, Any] = asks(app, person)("GET", f"/cars/{scene.car_id}/state", want=200)
    return found


def test_without_a_further_rental_nothing_is_foreseen(app: Flask, scene: Scene) -> None:
    assert state(app, scene)["forecast"] is None


def test_the_owner_sees_the_charge_foreseen_for_the_next_start(app: Flask, scene: Scene) -> None:
    scene.car.charge_rule = {"min_start": 50}
    session.commit()
    heard(scene, charge_percent=80.0, range_km=100.0, plugged=False, charging=False, drivable=False)
    rental = booked(scene, hours=12, expected_km=90)
    found = state(app, scene)["forecast"]
    assert found["at"] == clock.z(rental.from_at)
    assert found["low"] < found["charge_percent"] < found["high"]
    assert found["needed_percent"] == 72.0
    assert found["enough"] is (found["charge_percent"] >= 72.0)
    assert found["range_km"] == pytest.approx(found["charge_percent"] / 0.8, abs=1)


def test_a_car_that_charges_until_then_will_have_enough(app: Flask, scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.car.charge_rule = {"min_start": 90}
    session.commit()
    cable = {"plugged": True, "charging": True, "charge_kw": 4.6, "capacity_kwh": 17.0}
    heard(scene, charge_percent=40.0, drivable=False, **cable)
    shown = state(app, scene)
    assert shown["charge_kw"]["value"] == 4.6
    booked(scene, hours=12)
    found = state(app, scene)["forecast"]
    assert (found["enough"], found["charge_percent"] > 90) == (True, True)


@pytest.mark.parametrize("powertrain", ["petrol", "diesel", "hybrid"])
def test_a_car_without_a_plug_has_no_charge_to_foresee(app: Flask, scene: Scene, powertrain: str) -> None:
    scene.car.powertrain = powertrain
    session.commit()
    booked(scene, hours=12)
    assert state(app, scene)["forecast"] is None


def test_it_says_whether_the_car_was_charged_since_its_last_use(app: Flask, scene: Scene) -> None:
    heard(scene, charge_percent=50.0, drivable=True)
    clock.forward(HOUR)
    heard(scene, charge_percent=44.0, drivable=False, plugged=False, charging=False)
    assert state(app, scene)["charged_since_use"] is False
    clock.forward(HOUR)
    heard(scene, charge_percent=60.0, drivable=False, plugged=True, charging=True)
    assert state(app, scene)["charged_since_use"] is True


def test_what_stands_is_shown_to_owner_and_driver(app: Flask, scene: Scene) -> None:
    lent(scene)
    heard(scene, charge_percent=15.0)
    for by in ("olga", "max"):
        assert [one["cause"] for one in state(app, scene, by=by)["alerts"]] == ["charge_low"]


def test_in_whose_hands_the_battery_fell_is_the_owners_alone(app: Flask, scene: Scene) -> None:
    now = hourly.hour_of(clock.now())
    for hours in range(40, 0, -4):
        rest = Seen(battery_12v=12.6 - (40 - hours) * 0.002, drivable=False)
        doing(hourly.note, scene.car.no, now - timedelta(hours=hours), rest, used=False)
    lent(scene)
    clock.forward(HOUR)
    heard(scene, battery_12v=12.0, drivable=False)
    found = state(app, scene)["battery_12v_trend"]
    assert found["volts_per_day"] < -0.04
    assert found["low_in_days"] is not None
    assert [(one["rental"], one["to"]) for one in found["falls"]] == [(scene.rental_id, None)]
    assert state(app, scene, by="max")["battery_12v_trend"] is None


def test_who_neither_runs_nor_drives_the_car_sees_nothing_of_it(app: Flask, scene: Scene) -> None:
    asks(app, scene.max)("GET", f"/cars/{scene.car_id}/state", want=403)


def test_the_owner_sees_what_her_box_was_really_seen_to_report(app: Flask, scene: Scene) -> None:
    olga, path = asks(app, scene.olga), f"/cars/{scene.car_id}/box"
    before = olga("GET", path, want=200)
    assert {"locked", "door_fl", "position", "odometer_km"} <= set(before["unseen"])
    heard(scene, locked=True, door_fl=False, latitude=48.8566, longitude=2.3522, odometer_km=1200.0)
    heard(scene, locked=False, door_fl=True, odometer_km=1200.5)
    found = olga("GET", path, want=200)
    proved = {name for name, one in found["capabilities"].items() if one["evidence"] == "strong"}
    assert {"locked", "door_fl", "position", "odometer_km"} <= proved
    assert not proved & set(found["unseen"])
    assert "trunk" in found["unseen"]
    asks(app, scene.max)("GET", path, want=403)


def test_what_comes_with_the_answer_to_a_command_proves_as_much(app: Flask, scene: Scene) -> None:
    outcome.apply(scene.unlock().id, done(locked=False))
    heard(scene, locked=False)
    session.expire_all()
    assert scene.box.capabilities["locked"]["evidence"] == "strong"


def test_stated_distances_of_other_rentals_count_in_the_forecast(app: Flask, scene: Scene) -> None:
    heard(scene, charge_percent=80.0, range_km=100.0, plugged=False, charging=False)
    booked(scene, hours=4, lasts=2, expected_km=50)
    last = booked(scene, hours=8)
    found = charge_plan.foreseen(scene.car, scene.box, last.from_at)
    assert found is not None
    # half of the days such a car was plugged in after a use: nobody has seen it charge, so nothing is counted on
    assert found.charge.percent == pytest.approx(80 - 40, abs=9)
