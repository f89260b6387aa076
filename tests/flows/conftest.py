"""Circles to play flows in; each test has people and cars of its own."""

import pytest

from app.supervisor import Supervisor
from tests.flows.friends import PRICED, Friends


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
