"""Tokens: a signature is computed once per process; whether its bearer still stands is asked every time."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.coverage import partners
from app.kit import auth
from app.kit.auth import Remembered, Verified
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.errors import Unauthenticated
from app.kit.keys import Purpose, ring
from tests.coverage import factories
from tests.kit.asking import Ask

COVERAGE = "/v1/insurer/coverage?plate=AB-123-CD&country=FR&at=2026-01-01T00:00:00Z"


@pytest.fixture
def tokens(house: Flask) -> Iterator[Remembered]:
    """What this process remembers: nothing yet, and no more than three."""
    usual = house.extensions["glovebox-tokens"]
    house.extensions["glovebox-tokens"] = made = Remembered(most=3)
    yield made
    house.extensions["glovebox-tokens"] = usual


def test_a_token_found_right_once_is_dead_when_its_session_is(tokens: Remembered, ask: Ask) -> None:
    assert [ask("GET", "/v1/me").status_code for _ in range(2)] == [200, 200]
    assert len(tokens) == 1
    ask("DELETE", "/v1/sessions/current")
    assert ask("GET", "/v1/me").status_code == 401


def test_a_token_found_right_once_is_dead_when_its_client_is(
    house: Flask, client: FlaskClient, tokens: Remembered
) -> None:
    with house.app_context():
        insurer = factories.insurer().id
        made, _ = factories.client(insurer, "coverage:read")
        scopes = frozenset({"coverage:read"})
        token = auth.partner_token(made.id, insurer, scopes, "tok", timedelta(minutes=5))
    headers = {"Authorization": f"Bearer {token}"}
    assert [client.get(COVERAGE, headers=headers).status_code for _ in range(2)] == [200, 200]
    assert client.get("/v1/me", headers=headers).status_code == 401, "another purpose"
    with house.app_context():
        partners.remove_client(made.id)
    assert client.get(COVERAGE, headers=headers).status_code == 401


def test_a_token_found_right_once_is_dead_when_its_key_is(house: Flask, tokens: Remembered, ask: Ask) -> None:
    @transactional
    def move(kid: str, purpose: str) -> None:
        values = {"kid": kid, "purpose": purpose}
        session.execute(text("update signing_keys set purpose = :purpose where kid = :kid"), values)

    assert ask("GET", "/v1/me").status_code == 200
    with house.app_context():
        kid = ring().signing(Purpose.PEOPLE).kid
        move(kid, "gone")
        ring().forget()
    try:
        assert ask("GET", "/v1/me").status_code == 401
    finally:
        with house.app_context():
            move(kid, "people")
            ring().forget()


def test_what_is_remembered_runs_out_with_the_token_and_is_bounded(house: Flask, tokens: Remembered) -> None:
    asked: list[str] = []

    def claims(header: str, left: timedelta) -> dict[str, Any]:
        def verify(given: str) -> Verified:
            asked.append(given)
            if given == "forged":
                raise Unauthenticated
            return Verified({"exp": (real_now() + left).timestamp()}, ring().signing(Purpose.PEOPLE).kid)

        with house.test_request_context(headers={"Authorization": header}):
            return tokens.claims(Purpose.PEOPLE, verify)

    claims("old", timedelta(seconds=-1))
    claims("old", timedelta(seconds=-1))
    assert asked == ["old", "old"]
    for number in range(10):
        claims(str(number), timedelta(minutes=1))
        claims(str(number), timedelta(minutes=1))
        assert len(tokens) <= 3
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            claims("forged", timedelta(minutes=1))
    assert asked[2:] == [*map(str, range(10)), "forged", "forged"]
