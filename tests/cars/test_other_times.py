"""When a car is free instead: the nearest span of the same length, as the calendar has it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.cars import block, windows
from app.cars.models import Car
from app.kit import clock
from app.kit.clock import z
from tests import factories
from tests.communities.circle import Voice, voice

HOUR = timedelta(hours=1)


@pytest.fixture
def max_(app: Flask) -> Voice:
    return voice(app, "Max Member")


@pytest.fixture
def day() -> datetime:
    return (clock.now() + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture
def car(olga: Voice, max_: Voice, day: datetime) -> Car:
    """Max's to book, offered at any time."""
    made = factories.shared(olga.person, factories.circle(olga.person, max_.person))
    now = day.replace(tzinfo=None)
    windows.add(olga.id, made.id, {"from_": now - timedelta(days=20), "to": now + timedelta(days=20)})
    return made


def taken(olga: Voice, car: Car, begins: datetime, hours: float) -> None:
    block.add(olga.id, car.id, {"from_at": begins, "to_at": begins + hours * HOUR, "kind": "own_use"})


def ask(who: Voice, begins: datetime, hours: float = 2, want: int = 200, **more: str) -> Any:
    query = {"free_from": z(begins), "free_to": z(begins + hours * HOUR), **more}
    return who("GET", "/cars/other-times?" + "&".join(f"{a}={b}" for a, b in query.items()), want=want)


def times(who: Voice, begins: datetime, hours: float = 2) -> list[tuple[str, str]]:
    return [(one["from"], one["to"]) for one in ask(who, begins, hours)["items"]]


def test_the_nearest_time_may_lie_before(olga: Voice, max_: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day + HOUR, 8)
    assert times(max_, day) == [(z(day - HOUR), z(day + HOUR))]


def test_or_after(olga: Voice, max_: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day - 5 * HOUR, 6)
    assert times(max_, day) == [(z(day + HOUR), z(day + 3 * HOUR))]


def test_a_gap_that_is_too_short_is_passed_over(olga: Voice, max_: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day - 10 * HOUR, 11)
    taken(olga, car, day + 2 * HOUR, 4)
    assert times(max_, day) == [(z(day + 6 * HOUR), z(day + 8 * HOUR))]


def test_what_is_free_then_is_for_the_search(olga: Voice, max_: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day + 5 * HOUR, 1)
    assert times(max_, day) == []


def test_two_days_are_the_farthest(olga: Voice, max_: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day - 60 * HOUR, 120)
    assert times(max_, day) == []


def test_the_nearest_comes_first_with_what_it_would_cost(
    olga: Voice, max_: Voice, car: Car, day: datetime
) -> None:
    other = factories.shared(olga.person, factories.circle(olga.person, max_.person))
    now = day.replace(tzinfo=None)
    windows.add(olga.id, other.id, {"from_": now - timedelta(days=20), "to": now + timedelta(days=20)})
    taken(olga, car, day, 6)
    taken(olga, other, day, 1)
    found = ask(max_, day)["items"]
    assert [one["car"]["id"] for one in found] == [other.id, car.id]
    assert all(one["car"]["total"] is not None for one in found)


def test_cars_one_may_not_book_are_not_among_them(app: Flask, olga: Voice, car: Car, day: datetime) -> None:
    taken(olga, car, day, 1)
    assert times(voice(app, "Charlie"), day) == times(olga, day) == []


def test_a_span_that_ends_before_it_begins_is_refused(max_: Voice, day: datetime) -> None:
    assert ask(max_, day, -1, want=422) == "validation"


def test_of_times_that_are_over_nothing_is_found(max_: Voice, car: Car) -> None:
    assert times(max_, clock.now() - timedelta(days=400)) == []
