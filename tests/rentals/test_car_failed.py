"""A car that cannot be driven on: time is charged to that instant at most, the cover goes on to the lock."""

from datetime import datetime
from typing import Any

import pytest

from app.operator import act
from tests.billing.desk import Desk
from tests.rentals.plans import Plan, plan


@pytest.fixture
def one(desk: Desk) -> Plan:
    return plan(desk, {"minimum": 5000, "per_km": 30})


def report(one: Plan, *, unsafe: bool = True) -> Any:
    """Max reports what happened on the way."""
    body = {"part": "technical", "text": "It does not brake.", "unsafe": unsafe}
    return one.post(one.lending.max, f"/cars/{one.lending.car_id}/damages", 201, body)


def test_a_car_that_failed_is_charged_to_that_instant_and_covered_to_the_lock(one: Plan) -> None:
    one.companion(one.lending.car_id)
    rental = one.out(hours=4)
    one.get(one.lending.max, f"/rentals/{rental}/grant")
    one.forward(1)
    report(one)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["state"], shown["failed_at"] is not None) == ("active", True)
    assert one.told(one.lending.max, rental)[-1] == "car_failed.driver"
    assert one.told(one.lending.olga, rental)[-2:] == ["car_failed.owner", "damage_unsafe.owner"]
    # cover and grant go on: the driver must be able to lock what stands by the road
    assert one.covers(rental) == [(one.lending.car_id, "active")]
    assert [row.revoked_at for row in one.grants(rental)] == [None]
    one.forward(5)
    ended = one.ends(rental)["final_price"]
    assert [line["code"] for line in ended["lines"]] == ["time"], "no minimum, no late fee"
    assert 600 <= ended["total"]["amount"] <= 610
    assert one.money(rental)["captured"] == ended["total"]["amount"]
    cover = one.cover(rental)
    assert (cover.covered_minutes or 0) >= 359
    assert 59 <= (cover.charged_minutes or 0) <= 62
    assert cover.from_at is not None
    assert cover.to_at is not None
    assert cover.to_at > datetime.fromisoformat(shown["failed_at"])


def test_kilometres_are_owed_all_the_same(one: Plan) -> None:
    rental = one.out(hours=4)
    one.forward(1)
    report(one)
    lines = {line["code"]: line for line in one.ends(rental, km=8)["final_price"]["lines"]}
    assert lines["km"]["quantity"] == 8


def test_a_car_that_is_driven_on_had_not_failed(one: Plan) -> None:
    rental = one.out(hours=2)
    one.forward(1)
    report(one)
    lines = {line["code"] for line in one.ends(rental, km=40)["final_price"]["lines"]}
    assert "minimum" in lines


def test_a_damage_with_which_one_may_drive_stops_nothing(one: Plan) -> None:
    rental = one.out(hours=2)
    damage = report(one, unsafe=False)
    assert one.get(one.lending.max, f"/rentals/{rental}")["failed_at"] is None
    path = f"/cars/{one.lending.car_id}/damages/{damage['id']}"
    headers = {**one.headers(one.lending.max), "If-Match": "*"}
    answer = one.desk.app.test_client().patch(f"/v1{path}", json={"unsafe": True}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert one.get(one.lending.max, f"/rentals/{rental}")["failed_at"] is not None


def test_an_operator_who_bars_a_car_that_is_out_stops_its_time_too(one: Plan) -> None:
    rental = one.out(hours=2)
    act.set_safe(one.lending.car_id, safe=False, by="per_" + "0" * 32, reason="A recall of its brakes.")
    one.follow()
    assert one.get(one.lending.max, f"/rentals/{rental}")["failed_at"] is not None
    assert "car_failed.driver" in one.told(one.lending.max, rental)


def test_a_damage_found_before_the_unlock_stops_nothing(one: Plan) -> None:
    rental = one.book(hours=2)
    report(one)
    assert one.get(one.lending.max, f"/rentals/{rental}")["failed_at"] is None
