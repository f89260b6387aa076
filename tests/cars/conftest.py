from collections.abc import Iterator

import pytest
from flask import Flask

from app.kit.db import dispose
from tests.cars.street import impatient
from tests.communities.circle import Voice, voice


@pytest.fixture
def olga(app: Flask) -> Voice:
    return voice(app, "Olga Owner")


@pytest.fixture
def slow_broker(house: Flask) -> Iterator[Flask]:
    """The app whose broker takes no account in time."""
    made = impatient(house)
    yield made
    with made.app_context():
        dispose()
