"""What the tests of HTTP stand on: a client of the app, and one that is signed in."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.people import sign_in
from tests import factories


@dataclass(frozen=True, slots=True)
class Signed:
    """A person's id and the header of a fresh session."""

    id: str
    headers: dict[str, str]


def signed_in(house: Flask, name: str) -> Signed:
    """A new person with a fresh session."""
    with house.app_context():
        person = factories.person(name)
        tokens = sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
        return Signed(person.id, {"Authorization": f"Bearer {tokens['access_token']}"})


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
def ask(client: FlaskClient, signed: dict[str, str]) -> Callable[..., Any]:
    """A request of the signed-in Olga: `ask("GET", "/v1/me", ...)`."""

    def call(method: str, path: str, headers: dict[str, str] | None = None, **how: Any) -> Any:
        return client.open(path, method=method, headers={**signed, **(headers or {})}, **how)

    return call
