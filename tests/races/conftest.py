import pytest

from app.supervisor import Supervisor
from tests.flows.friends import Friends


@pytest.fixture
def circle(place: Supervisor) -> Friends:
    """A free car with a box, booked without asking."""
    return Friends(place)
