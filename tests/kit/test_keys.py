"""Signing keys: a retired one verifies what it signed as long as that may live, and no longer."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.kit import keys
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.keys import Purpose
from tests.kit.asking import Ask, Signed


@transactional
def _retired(kid: str, ago: timedelta) -> None:
    session.execute(
        text("update signing_keys set retired_at = :at where kid = :kid"),
        {"at": real_now() - ago, "kid": kid},
    )


@pytest.fixture
def retire(house: Flask, olga: Signed) -> Iterator[Callable[[timedelta], None]]:
    """Retire the key that signed Olga's token, so long ago."""
    ring = house.extensions["glovebox"].keys
    with house.app_context():
        old = ring.signing(Purpose.PEOPLE).kid
        keys.rotate(Purpose.PEOPLE)

    def call(ago: timedelta) -> None:
        with house.app_context():
            _retired(old, ago)
        ring.forget()

    yield call
    call(timedelta(0))


def test_a_retired_key_of_people_verifies_for_a_token_life(
    retire: Callable[[timedelta], None], ask: Ask
) -> None:
    for ago, status in ((timedelta(minutes=10), 200), (timedelta(minutes=12), 401)):
        retire(ago)
        assert ask("GET", "/v1/me").status_code == status


def test_a_retired_key_of_certificates_verifies_for_good(house: Flask) -> None:
    ring: Any = house.extensions["glovebox"].keys
    with house.app_context():
        old = ring.signing(Purpose.CERTIFICATES).kid
        keys.rotate(Purpose.CERTIFICATES)
        _retired(old, timedelta(days=4000))
        ring.forget()
        assert ring.verifying(Purpose.CERTIFICATES, old).kid == old
