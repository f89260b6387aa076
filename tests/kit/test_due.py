"""Deadlines and jobs, and who works them off: one set anew meanwhile is taken once more, one that another is at is left to
them, and what is in no hurry goes last.
"""

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, text

from app import due
from app.kit import clock, deadlines, jobs
from app.kit.db import db, new_id, release, session, transactional
from app.kit.deadlines import Deadline
from app.messages import digest


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


def test_what_is_in_no_hurry_is_taken_after_all_that_is_due(app: Flask, at: datetime) -> None:
    mail, lapse = new_id("per"), new_id("ren")
    deadlines.at("digest", mail, at - timedelta(hours=1))
    deadlines.at("lapse", lapse, at)
    order = [row.ref for row in session.execute(due._DUE, {"batch": 1_000_000, "last": due.LAST})]
    session.rollback()
    assert order.index(lapse) < order.index(mail)


def test_what_goes_last_has_its_step() -> None:
    assert set(due.LAST) <= due.TABLE.keys()


class Undone(Exception):
    """Nothing of what was done stays."""


@transactional
def take_two_of_two(order: list[str]) -> None:
    """A daily mail falls due, then a mail goes out; what a worker takes first and second, and all is undone."""
    session.execute(text("delete from procrastinate_jobs where status = 'todo'"))
    digest.due(new_id("per"))
    jobs.defer("deliver", delivery=new_id("dlv"))
    worker = session.execute(
        text("insert into procrastinate_workers default values returning id")
    ).scalar_one()
    fetch = text("select task_name from procrastinate_fetch_job_v2(null, :worker)")
    order += [session.execute(fetch, {"worker": worker}).scalar_one() for _ in range(2)]
    raise Undone


def test_a_daily_mail_lets_a_later_job_go_first(app: Flask) -> None:
    order: list[str] = []
    with pytest.raises(Undone):
        take_two_of_two(order)
    assert order == ["deliver", "digest"]
