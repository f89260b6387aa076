"""What listens, or holds a lock of its session, goes past a pooler of transactions."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import text

from app.doors import Doors
from app.factory import create_app
from app.kit import rights
from app.kit.db import dispose, new_id, session
from insurance.partners import partners_of
from tests.conftest import settings_for

HELD = text("select count(*) from pg_stat_activity where application_name = 'past-the-pooler'")


@pytest.fixture
def beside(house: Flask, database: str) -> Iterator[Flask]:
    """An app that has a way past the pooler, which the database sees by its name."""
    straight = f"{database}{'&' if '?' in database else '?'}application_name=past-the-pooler"
    settings = replace(settings_for(database), listen_database_url=straight)
    made = create_app(settings, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))
    with made.app_context():
        yield made
        made.extensions["glovebox-rights"].dispose()
        dispose()


def test_a_right_is_held_past_the_pooler(beside: Flask) -> None:
    with rights.used(new_id("per")):
        assert session.execute(HELD).scalar_one() == 1
