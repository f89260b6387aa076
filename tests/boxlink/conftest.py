import pytest
from flask import Flask

from tests.rentals import scene as scenes


@pytest.fixture
def scene(app: Flask) -> scenes.Scene:
    return scenes.make()
