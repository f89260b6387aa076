"""Deadlines and who works them off: one set anew meanwhile is taken once more, one that another is at is left to them."""

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine

from app import due
from app.kit import clock, deadlines
from app.kit.db import db, new_id, release, session, transactional
from app.kit.deadlines import Deadline


@pytest.fixture
def at(app: Flask) -> datetime:
    return clock.now() - timedelta(seconds=1)


@transactional
def plan(
    ref: str, at: datetime, written: threading.Event | None = None, done: threading.Event | None = None
) -> None:
    deadlines.at("digest", ref, at)
    if written is not None and done is not None:
        written.set()
        done.wait(0.5)


def test_one_that_is_set_meanwhile_stays(app: Flask, at: datetime) -> None:
    ref, written, done = new_id("per"), threading.Event(), threading.Event()
    plan(ref, at)

    def other() -> None:
        with app.app_context():
            plan(ref, at, written, done)
            release()

    setting = threading.Thread(target=other)
    setting.start()
    written.wait(5)
    due._take("digest", ref, at)
    setting.join(5)
    session.expire_all()
    assert session.get(Deadline, ("digest", ref)) is not None


def test_else_it_is_over(app: Flask, at: datetime) -> None:
    ref = new_id("per")
    plan(ref, at)
    due._take("digest", ref, at)
    assert session.get(Deadline, ("digest", ref)) is None


def test_one_that_failed_is_not_touched_while_another_is_at_it(app: Flask, at: datetime) -> None:
    ref = new_id("per")
    plan(ref, at)
    with create_engine(db.engine.url, poolclass=NullPool).connect() as other:
        other.execute(due._MINE, {"kind": "digest", "ref": ref})
        due._later("digest", ref)
        assert session.get_one(Deadline, ("digest", ref)).attempts == 0
    session.expire_all()
    due._later("digest", ref)
    session.expire_all()
    assert session.get_one(Deadline, ("digest", ref)).attempts == 1
