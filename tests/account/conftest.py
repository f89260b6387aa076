"""A driver who has driven, and wants to be forgotten."""

from typing import Any

import pytest
from flask import Flask

from tests.coverage import factories


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def http(app: Flask) -> Any:
    return app.test_client()
