"""Limits and connections: a try at a secret is counted before anything is held, and every refusal is counted."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.kit import rate_limits
from app.kit.db import db, read, transactional
from tests import factories


@pytest.fixture
def one_left(house: Flask) -> Iterator[None]:
    """All connections of the pool but one are held by others."""
    with house.app_context():
        engine = db.engine
    with ExitStack() as stack:
        for _ in range(house.extensions["glovebox"].settings.pool_size + 4 - 1):
            stack.enter_context(engine.connect())
        yield


def keyed() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_a_request_with_a_key_needs_one_connection_of_the_pool(client: FlaskClient, one_left: None) -> None:
    body = {"email": f"{uuid.uuid4().hex}@example.org", "purpose": "reset"}
    assert client.post("/v1/email-codes", json=body, headers=keyed()).status_code == 202


def test_a_sign_in_reads_signing_keys_on_a_connection_apart(house: Flask, client: FlaskClient) -> None:
    with house.app_context():
        email = factories.person().email
        engine = db.engine
    body = {"email": email, "password": "correct horse battery", "installation": str(uuid.uuid4())}
    with ExitStack() as stack:
        for _ in range(house.extensions["glovebox"].settings.pool_size + 4 - 1):
            stack.enter_context(engine.connect())
        house.extensions["glovebox"].keys.forget()
        assert client.post("/v1/sessions", json=body, headers=keyed()).status_code == 201


def test_neither_a_hot_read_nor_a_limit_is_taken_inside_a_transaction(app: Flask) -> None:
    @transactional
    def count() -> None:
        rate_limits.allow_secret("test", "olga", (5, 60))

    @transactional
    def look() -> None:
        read(text("select 1"))

    for work in (count, look):
        with pytest.raises(RuntimeError):
            work()
