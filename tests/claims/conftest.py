"""A rental that has ended, in this process, and what its hearing is played with."""

import pytest
from flask import Flask

from tests.billing.conftest import bank, desk, double
from tests.claims.hearing import Hearing, build

__all__ = ["bank", "desk", "double"]


@pytest.fixture
def hearing(app: Flask) -> Hearing:
    """Max has had Olga's car for an hour."""
    del app
    return build()
