"""Circles to play flows in; each test has people and cars of its own."""

import pytest

from app.demo_cast import Actor
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, Friends, two


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
