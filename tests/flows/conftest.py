"""Circles to play flows in; each test has people and cars of its own."""

from collections.abc import Iterator

import pytest

from app.supervisor import Supervisor
from tests.flows.friends import PRICED, Friends


@pytest.fixture(autouse=True)
def cars_leave_the_street(request: pytest.FixtureRequest) -> Iterator[None]:
    """The boxes of a test go with it: each is a thread of the simulator that would work on for nobody."""
    if "place" not in request.fixturenames:
        yield
        return
    place: Supervisor = request.getfixturevalue("place")
    before = set(place.control("simulator", "GET", "state"))
    yield
    for username in set(place.control("simulator", "GET", "state")) - before:
        place.control("simulator", "DELETE", f"boxes/{username}")


@pytest.fixture
def friends(place: Supervisor) -> Friends:
    """A free car, booked without asking."""
    return Friends(place)


@pytest.fixture
def asking(place: Supervisor) -> Friends:
    """A free car whose owner is asked."""
    return Friends(place, approval="always", street=False)


@pytest.fixture
def priced(place: Supervisor) -> Friends:
    """A car at a price, and a driver with a card."""
    made = Friends(place, PRICED)
    made.max.save_card()
    return made
