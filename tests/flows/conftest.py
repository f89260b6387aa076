"""Circles to play flows in; each test has people and cars of its own."""

from collections.abc import Iterator

import pytest

from app.demo_cast import Actor
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, Friends, two


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


@pytest.fixture(scope="session")
def two_who_book(place: Supervisor) -> tuple[Actor, Actor]:
    return two(place)


@pytest.fixture
def people(two_who_book: tuple[Actor, Actor]) -> tuple[Actor, Actor]:
    """Two who only book, never drive, pay, leave or sign out: every test gives them a car and a circle of its own."""
    for one in two_who_book:
        one.renew()
    return two_who_book


@pytest.fixture
def asking(place: Supervisor, people: tuple[Actor, Actor]) -> Friends:
    """A free car whose owner is asked."""
    return Friends(place, approval="always", street=False, people=people)


@pytest.fixture
def priced(place: Supervisor) -> Friends:
    """A car at a price, and a driver with a card."""
    made = Friends(place, PRICED)
    made.max.save_card()
    return made
