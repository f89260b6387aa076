"""A rental in this process, without a box that speaks: rows and readings are set as a test wants them."""

import pytest
from flask import Flask

from tests.billing.conftest import bank, desk, double
from tests.rentals.garage import Garage, build
from tests.rentals.scene import Scene, make

__all__ = ["bank", "desk", "double"]


@pytest.fixture
def scene(app: Flask) -> Scene:
    """A free rental, booked and ready to be unlocked."""
    return make()


@pytest.fixture
def garage(app: Flask) -> Garage:
    """The same with a companion beside the box, and a phone that has a key."""
    del app
    return build()
