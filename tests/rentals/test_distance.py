"""A stated distance beyond what the car will have in its battery: warned with the price, or refused by the owner's rule."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from tests.cars.test_look import asks
from tests.communities.circle import Voice
from tests.rentals.scene import Scene, make


@pytest.fixture
def scene(app: Flask) -> Scene:
    """A car that has 80 % left, which it says is good for 100 km."""
    made = make()
    made.reads(charge_percent=80.0, range_km=100.0, plugged=False, charging=False)
    return made


@pytest.fixture
def max_(app: Flask, scene: Scene) -> Voice:
    return asks(app, scene.max)


def asking(scene: Scene, km: int | None) -> dict[str, Any]:
    start = clock.now() + timedelta(hours=4)
    body = {"car": scene.car_id, "from": z(start), "to": z(start + timedelta(hours=2))}
    return {**body, **({"expected_km": km} if km is not None else {})}


def refuses(scene: Scene) -> None:
    scene.car.charge_rule = {"distance": "refuse"}
    session.commit()


@pytest.mark.parametrize(
    ("language", "words"), [("en", " km are foreseen"), ("fr", "km sont prévus"), ("de", " km zu erwarten")]
)
def test_a_distance_beyond_the_range_is_warned_of_in_the_drivers_language(
    scene: Scene, max_: Voice, language: str, words: str
) -> None:
    quoted = max_("POST", "/quotes", asking(scene, 150), want=201, Accept_Language=language)
    [warned] = quoted["warnings"]
    assert warned["code"] == "range"
    assert 85 <= warned["limit"] <= 100
    assert words in warned["text"]
    assert str(warned["limit"]) in warned["text"]
    again = max_("GET", f"/quotes/{quoted['id']}", want=200, Accept_Language=language)
    assert again["warnings"] == quoted["warnings"]


@pytest.mark.parametrize("km", [None, 60])
def test_a_distance_within_the_range_or_unstated_is_not(scene: Scene, max_: Voice, km: int | None) -> None:
    refuses(scene)
    assert max_("POST", "/quotes", asking(scene, km), want=201)["warnings"] == []


def test_an_owner_may_have_such_rentals_refused(scene: Scene, max_: Voice) -> None:
    refuses(scene)
    answer = max_.answer("POST", "/quotes", asking(scene, 150))
    assert answer.status_code == 409
    problem = answer.get_json()
    assert (problem["type"], problem["rule"]) == ("/problems/outside-rules", "distance")
    assert 85 <= problem["limit"] <= 100


def test_a_rule_that_came_after_the_quote_refuses_its_booking(scene: Scene, max_: Voice) -> None:
    quoted = max_("POST", "/quotes", asking(scene, 150), want=201)
    refuses(scene)
    accept = [one["version"] for one in quoted["conditions"]]
    body = {"quote": quoted["id"], "accept": accept}
    assert max_("POST", "/rentals", body, want=409, Idempotency_Key="book-too-far") == "outside-rules"


def test_a_warned_quote_can_be_booked_and_goes_on_saying_so(scene: Scene, max_: Voice) -> None:
    quoted = max_("POST", "/quotes", asking(scene, 150), want=201)
    body = {"quote": quoted["id"], "accept": [one["version"] for one in quoted["conditions"]]}
    made = max_("POST", "/rentals", body, want=201, Idempotency_Key="book-warned")
    assert made["quote"]["warnings"] == quoted["warnings"]


@pytest.mark.parametrize("powertrain", ["petrol", "plug_in"])
def test_a_car_that_drives_on_fuel_goes_as_far_as_one_likes(
    scene: Scene, max_: Voice, powertrain: str
) -> None:
    scene.car.powertrain = powertrain
    refuses(scene)
    assert max_("POST", "/quotes", asking(scene, 150), want=201)["warnings"] == []


def test_a_car_that_has_told_no_range_refuses_nothing(scene: Scene, max_: Voice) -> None:
    refuses(scene)
    scene.reads(range_km=0)
    assert max_("POST", "/quotes", asking(scene, 150), want=201)["warnings"] == []
