"""A rental in this process, without a box that speaks: rows and readings are set as a test wants them."""

import pytest
from flask import Flask

from tests.rentals.scene import Scene, make


@pytest.fixture
def scene(app: Flask) -> Scene:
    """A free rental, booked and ready to be unlocked."""
    return make()
