import pytest
from flask import Flask
from flask.testing import FlaskClient


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()
