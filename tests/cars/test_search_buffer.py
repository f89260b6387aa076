"""What is said to be free can be had: a search leaves whoever comes next the car's buffer, as a quote does."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.cars import block, occupancy, terms
from app.cars.models import Car
from app.communities.models import Community
from app.kit import clock
from app.kit.clock import z
from app.kit.db import new_id, transactional
from tests import factories
from tests.communities.circle import Voice, voice

HOUR = timedelta(hours=1)


@pytest.fixture
def day(app: Flask) -> datetime:
    return (clock.now() + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture
def max_(app: Flask) -> Voice:
    return voice(app, "Max Member")


@pytest.fixture
def circle(olga: Voice, max_: Voice) -> Community:
    return factories.circle(olga.person, max_.person)


@pytest.fixture
def car(olga: Voice, circle: Community) -> Car:
    """With an hour of buffer behind each rental."""
    return factories.shared(olga.person, circle, {**factories.FREE, "buffer_min": 60})


def rented(car: Car, begins: datetime, hours: float) -> None:
    transactional(occupancy.occupy)(car, "rental", new_id("ren"), begins, begins + hours * HOUR)


def found(who: Voice, path: str, begins: datetime, hours: float = 2) -> list[Any]:
    answer = who("GET", f"{path}?free_from={z(begins)}&free_to={z(begins + hours * HOUR)}", want=200)
    items: list[Any] = answer["items"]
    return items


def cars(who: Voice, begins: datetime, hours: float = 2) -> list[str]:
    return [one["id"] for one in found(who, "/cars", begins, hours)]


def quoted(who: Voice, car: Car, begins: datetime, want: int, hours: float = 2) -> Any:
    return who(
        "POST", "/quotes", {"car": car.id, "from": z(begins), "to": z(begins + hours * HOUR)}, want=want
    )


def test_a_car_that_is_rented_within_its_buffer_is_not_found(max_: Voice, car: Car, day: datetime) -> None:
    rented(car, day + 2.5 * HOUR, 2)
    quoted(max_, car, day, 409)
    assert cars(max_, day) == []


def test_with_its_buffer_behind_it_is(max_: Voice, car: Car, day: datetime) -> None:
    rented(car, day + 3 * HOUR, 2)
    quoted(max_, car, day, 201)
    assert cars(max_, day) == [car.id]


def test_the_buffer_is_for_the_next_driver_and_ends_at_a_block(
    olga: Voice, max_: Voice, car: Car, day: datetime
) -> None:
    block.add(olga.id, car.id, {"from_at": day + 2 * HOUR, "to_at": day + 4 * HOUR, "kind": "own_use"})
    quoted(max_, car, day, 201)
    assert cars(max_, day) == [car.id]


def test_the_buffer_is_that_of_the_newest_terms(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    rented(car, day + 2.5 * HOUR, 2)
    terms.put(olga.id, car.id, circle.id, {**factories.FREE, "buffer_min": 30})
    assert cars(max_, day) == [car.id]


def test_an_owner_who_takes_their_own_car_leaves_none(olga: Voice, car: Car, day: datetime) -> None:
    rented(car, day + 2 * HOUR, 2)
    assert cars(olga, day) == [car.id]


def test_another_time_has_its_buffer_before_the_next_rental(max_: Voice, car: Car, day: datetime) -> None:
    rented(car, day + 2.5 * HOUR, 2)
    [other] = found(max_, "/cars/other-times", day)
    assert (other["from"], other["to"]) == (z(day - HOUR / 2), z(day + 1.5 * HOUR))
    quoted(max_, car, day - HOUR / 2, 201)


def test_what_a_refusal_says_is_free_nearby_has_its_buffer_too(max_: Voice, car: Car, day: datetime) -> None:
    rented(car, day + 2.5 * HOUR, 2)
    body = {"car": car.id, "from": z(day), "to": z(day + 2 * HOUR)}
    refused = max_.answer("POST", "/quotes", body).get_json()
    assert refused["longest_to"] == z(day + 1.5 * HOUR)
    assert refused["free_nearby"][0]["to"] == z(day + 1.5 * HOUR)
