"""A car that cannot be driven on: time is charged to that instant at most, the cover goes on to the lock."""

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
