"""Limits and connections: a try at a secret is counted before anything is held, and every refusal is counted."""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.kit import auth, rate_limits
from app.kit.config import Limits
from app.kit.db import db, session, transactional
from app.kit.driver import read
from app.people import sign_in
from tests import factories
from tests.coverage import factories as coverage
from tests.kit.asking import Signed

_addresses = itertools.count(1)


@pytest.fixture
def one_left(house: Flask) -> Iterator[None]:
    """All connections of the pool but one are held by others."""
    with house.app_context():
        engine = db.engine
    with ExitStack() as stack:
        for _ in range(house.extensions["glovebox"].settings.pool_size + 4 - 1):
            stack.enter_context(engine.connect())
        yield


@pytest.fixture
def tight(house: Flask) -> Iterator[None]:
    """Every limit lets two calls through."""
    place = house.extensions["glovebox"]
    usual = place.settings
    place.settings = replace(usual, limits=Limits(**dict.fromkeys(Limits.__dataclass_fields__, (2, 900))))
    yield
    place.settings = usual


def statuses(client: FlaskClient, count: int, method: str, path: str, **how: Any) -> list[int]:
    """Of calls from an address of their own."""
    origin = {"REMOTE_ADDR": f"192.0.2.{next(_addresses)}"}
    return [client.open(path, method=method, environ_base=origin, **how).status_code for _ in range(count)]


def test_every_refusal_counts_against_the_address(
    house: Flask, client: FlaskClient, olga: Signed, tight: None
) -> None:
    """A token of the wrong kind, of a session that has ended, of a client without the scope."""
    assert statuses(client, 3, "GET", "/v1/operator/jobs", headers=olga.headers) == [403, 403, 429]
    client.delete("/v1/sessions/current", headers=olga.headers)
    assert statuses(client, 3, "GET", "/v1/me", headers=olga.headers) == [401, 401, 429]
    with house.app_context():
        insurer = coverage.insurer().id
        made, _ = coverage.client(insurer, "coverage:read")
        token = auth.partner_token(
            made.id, insurer, frozenset({"coverage:read"}), "tok", timedelta(minutes=5)
        )
    headers = {"Authorization": f"Bearer {token}"}
    query = {"plate": "AB-123-CD", "country": "FR", "at": "2026-01-01T00:00:00Z"}
    found = statuses(client, 3, "GET", "/v1/insurer/lookup", headers=headers, query_string=query)
    assert found == [403, 403, 429]


@pytest.mark.parametrize("path", ["rentals/ren_{0}/unlock", "rentals/ren_{0}/pause", "cars/car_{0}/commands"])
def test_door_commands_count_against_the_person(
    client: FlaskClient, olga: Signed, tight: None, path: str
) -> None:
    body = {"kind": "unlock"} if path.startswith("cars") else None
    headers = {**olga.headers, **keyed()}
    found = statuses(client, 3, "POST", "/v1/" + path.format("0" * 32), headers=headers, json=body)
    assert found == [404, 404, 429]


def test_a_lock_is_never_refused_for_its_number(client: FlaskClient, olga: Signed, tight: None) -> None:
    path, body = f"/v1/rentals/ren_{'0' * 32}/lock", {"keys_in_glove_box": True}
    headers = {**olga.headers, **keyed()}
    assert statuses(client, 4, "POST", path, headers=headers, json=body) == [404] * 4


def test_an_invitation_is_looked_at_under_one_limit_in_the_app_and_in_a_browser(
    client: FlaskClient, tight: None
) -> None:
    origin = {"REMOTE_ADDR": f"192.0.2.{next(_addresses)}"}
    paths = (f"/i/{'x' * 22}", f"/v1/invitations/{'x' * 22}", f"/i/{'x' * 22}", f"/v1/invitations/{'x' * 22}")
    answers = [client.get(path, environ_base=origin) for path in paths]
    assert [one.status_code for one in answers] == [404, 404, 429, 429]
    assert answers[2].mimetype == "text/html"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 900


def test_refreshes_are_counted_in_the_database_per_account(
    house: Flask, client: FlaskClient, tight: None
) -> None:
    with house.app_context():
        person = factories.person()
        first, second = (
            sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()))["refresh_token"]
            for _ in range(2)
        )
    path = "/v1/sessions/refresh"
    assert statuses(client, 1, "POST", path, json={"refresh_token": first}) == [200]
    assert statuses(client, 2, "POST", path, json={"refresh_token": second}) == [200, 429]
    assert statuses(client, 3, "POST", path, json={"refresh_token": "tok_0.x"}) == [401, 401, 429]
    with house.app_context():
        counted = session.execute(
            text("select count from rate_counts where name = 'refresh' and subject = :s"), {"s": person.id}
        ).scalar_one()
    assert counted == 3


def test_look_ups_are_counted_in_the_database_per_client(
    house: Flask, client: FlaskClient, tight: None
) -> None:
    with house.app_context():
        insurer = coverage.insurer().id
        made, _ = coverage.client(insurer, "coverage:lookup")
        token = auth.partner_token(
            made.id, insurer, frozenset({"coverage:lookup"}), "tok", timedelta(minutes=5)
        )
    how: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {token}"},
        "query_string": {"plate": "AB-123-CD", "country": "FR", "at": "2026-01-01T00:00:00Z"},
    }
    assert statuses(client, 2, "GET", "/v1/insurer/lookup", **how) == [200, 200]
    house.extensions["glovebox"].settings = replace(
        house.extensions["glovebox"].settings, limits=replace(Limits(), lookup=(2, 900))
    )
    assert statuses(client, 1, "GET", "/v1/insurer/lookup", **how) == [429]


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


def test_a_window_begins_with_its_first_call_and_is_forgotten_after_its_end() -> None:
    now = [1000.0]
    windows = rate_limits.Windows(lambda: now[0])
    assert [windows.hit("person", "olga", 50)[0] for _ in range(3)] == [1, 2, 3]
    assert windows.hit("person", "max", 50) == (1, 50)
    now[0] += 20
    assert windows.hit("person", "olga", 50) == (4, 30)
    now[0] += 30
    assert windows.hit("person", "olga", 50) == (1, 50)
    now[0] += 40
    assert windows.hit("person", "olga", 50) == (2, 10)
    assert len(windows) == 1, "what ran out was swept"
