"""The desk at which people register, sign in and change things."""

import pytest
from flask import Flask

from tests.people.desk import Desk


@pytest.fixture
def desk(house: Flask) -> Desk:
    return Desk(house)
