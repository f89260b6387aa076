"""What the tests of HTTP stand on: a client of the app, and one that is signed in."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.kit.asking import Ask, Signed, signed_in


@pytest.fixture
def olga(house: Flask) -> Signed:
    """A new account, signed in, no context left open: each request then has one of its own."""
    return signed_in(house, "Olga Owner")


@pytest.fixture
def signed(olga: Signed) -> dict[str, str]:
    return olga.headers


@pytest.fixture
def client(house: Flask) -> FlaskClient:
    return house.test_client()


@pytest.fixture
def ask(client: FlaskClient, signed: dict[str, str]) -> Ask:
    """A request of the signed-in Olga: `ask("GET", "/v1/me", ...)`."""

    def call(method: str, path: str, headers: dict[str, str] | None = None, **how: Any) -> Any:
        return client.open(path, method=method, headers={**signed, **(headers or {})}, **how)

    return call
