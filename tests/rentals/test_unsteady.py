"""A clock that was just set begins no cover; it keeps nobody from locking, nor from getting back in."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import text

from app import due
from app.kit import clock, deadlines, heartbeat, metrics, ready, sealed
from app.kit.config import Mode
from app.kit.db import session
from app.kit.errors import NotReady, Validation
from app.operator import check_clock
from app.rentals import claim, commands, lock, outcome
from app.rentals.claim import Claim
from carbox.box import AnswerKind, Evidence
from tests.coverage.factories import doing, seal
from tests.kit.clocks import Clocks, set_database
from tests.rentals.garage import MINUTE, Garage, end_with_signal
from tests.rentals.scene import Scene
from tests.rentals.test_outcome import Said, answer

DONE = Said(AnswerKind.CONFIRMED, effect=True, evidence=Evidence.STRONG, dead=True)


@pytest.fixture
def clocks(app: Flask) -> Iterator[Clocks]:
    """What this process goes by instead of its real clocks; they were looked at once."""
    house, found = app.extensions["glovebox"], Clocks()
    before, house.watch = house.watch, found.watch()
    house.watch.look()
    yield found
    house.watch = before


def asks(scene: Scene, step: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {scene.token}", "Idempotency-Key": str(uuid.uuid4())}
    session.rollback()
    return current_app.test_client().post(
        f"/v1/rentals/{scene.rental_id}/{step}", json=body, headers={**headers, "Prefer": "wait=0"}
    )


def test_after_a_step_the_unlock_says_what_is_wrong_and_when_to_try_again(
    scene: Scene, clocks: Clocks
) -> None:
    clocks.step(90)
    refused = asks(scene, "unlock")
    assert (refused.status_code, refused.json["type"].rsplit("/")[-1]) == (409, "not-ready")
    assert refused.headers["Retry-After"] == "60"
    (condition,) = refused.json["conditions"]
    assert (condition["code"], condition["blocking"]) == ("clock", True)
    assert "in about 60 seconds" in condition["remedy"]
    assert scene.unmet("unlock") == ["clock"]
    assert scene.unmet("lock") == ["state"]
    clocks.go_on(60)
    assert asks(scene, "unlock").status_code == 202
    assert scene.unmet("unlock") == ["command"]


def test_who_was_kept_out_by_the_clock_is_no_no_show(scene: Scene, clocks: Clocks) -> None:
    clocks.step(-5)
    with pytest.raises(NotReady):
        scene.unlock()
    session.expire_all()
    assert scene.rental.kept_out_at is not None


def test_locking_and_getting_back_in_are_never_refused_for_the_clock(scene: Scene, clocks: Clocks) -> None:
    outcome.apply(scene.unlock().id, answer(DONE))
    clock.forward(commands.SAME_TAP_WITHIN)
    clocks.step(3600)
    back_in = scene.unlock()
    assert claim.claim(back_in.id, "link") is Claim.MINE
    session.rollback()
    outcome.apply(back_in.id, answer(DONE))
    scene.reads(locked=False)
    locking = lock.lock(scene.caller(), scene.rental_id, keys_in_glove_box=True)
    assert claim.claim(locking.id, "link") is Claim.MINE
    session.rollback()
    outcome.apply(locking.id, answer(DONE))  # nobody is to find it without an answer


def test_a_first_unlock_is_not_sent_by_a_clock_that_was_set_meanwhile(
    scene: Scene, clocks: Clocks, app: Flask
) -> None:
    command = scene.unlock()
    clocks.step(-30)
    app.extensions["glovebox"].watch.look()
    assert claim.claim(command.id, "link") is Claim.EXPIRED
    session.rollback()
    assert commands.find_of_rental(scene.rental_id, command.id, scene.max.id).state == "created"


def test_no_grant_is_given_out_by_a_clock_that_was_just_set(garage: Garage, clocks: Clocks) -> None:
    clocks.step(20)
    refused = garage.fetch()
    assert (refused.status_code, [one["code"] for one in refused.json["conditions"]]) == (409, ["clock"])
    clocks.go_on(60)
    assert garage.fetch().status_code == 200


def test_nothing_falls_due_by_a_clock_that_was_just_set(scene: Scene, clocks: Clocks, app: Flask) -> None:
    doing(deadlines.at, "about_to_start", scene.rental_id, clock.now())
    clocks.step(3600)
    app.extensions["glovebox"].watch.look()
    due.work_off_steadily(threading.Event())
    assert waits(scene.rental_id)
    clocks.go_on(60)
    app.extensions["glovebox"].watch.look()
    due.work_off_steadily(threading.Event())
    assert not waits(scene.rental_id)


def waits(rental: str) -> bool:
    found = session.execute(
        text("select 1 from deadlines where kind = 'about_to_start' and ref = :ref"), {"ref": rental}
    ).first()
    session.rollback()
    return found is not None


def test_a_clock_put_back_gives_no_cover_an_instant_before_an_earlier_one(garage: Garage) -> None:
    clock.forward(10 * MINUTE)
    outcome.apply(garage.scene.unlock().id, None)
    (void,) = garage.covers()
    set_database(-5 * MINUTE)
    garage.scene.reads(locked=True)
    outcome.apply(garage.scene.unlock().id, answer(DONE))
    first, second = sorted(garage.covers(), key=lambda one: one.from_at)
    assert (first.id, first.state, first.to_at) == (void.id, "void", void.from_at)
    assert void.from_at < second.from_at <= second.activated_at
    assert garage.rental.started_at == second.from_at
    assert garage.custody()[-1] == ("driver", second.from_at, None)
    end_with_signal(garage)
    ended = max(one.to_at for one in garage.covers())
    assert ended > second.from_at
    assert garage.custody()[-2:] == [("driver", second.from_at, ended), ("owner", ended, None)]
    clock.forward(10 * MINUTE)


@pytest.mark.parametrize("mode", [Mode.TEST, Mode.PRODUCTION])
def test_what_is_sealed_by_a_clock_that_was_put_back_changes_no_answer_as_of_an_instant(
    scene: Scene, app: Flask, mode: Mode
) -> None:
    unlock = scene.unlock().id
    with as_in(mode, app):
        seal()
        last = sealed.head().position
        _seal_later(last, timedelta(minutes=1))
        before = sealed.head()
        assert sealed.head(before.as_of) == before
        outcome.apply(unlock, None)
        seal()
        after = sealed.head()
        assert after.position > before.position
        assert after.as_of > before.as_of
        assert sealed.head(before.as_of) == before
        with pytest.raises(Validation):
            sealed.head(after.as_of + MINUTE)
        _seal_later(last, timedelta(minutes=-1))


@contextmanager
def as_in(mode: Mode, app: Flask) -> Iterator[None]:
    """In production business time is the database's; here it has been moved, and is again afterwards."""
    house = app.extensions["glovebox"]
    usual, house.settings = house.settings, replace(house.settings, mode=mode)
    moved = (
        []
        if mode is Mode.TEST
        else session.execute(text("delete from clock_offset returning milliseconds")).all()
    )
    session.commit()
    try:
        yield
    finally:
        house.settings = usual
        for (milliseconds,) in moved:
            set_database(timedelta(milliseconds=milliseconds))


def _seal_later(position: int, by: timedelta) -> None:
    """As if the clock had been so much ahead when they were sealed."""
    session.rollback()
    session.execute(
        text("update facts set sealed_at = sealed_at + :by where position >= :position"),
        {"by": by, "position": position},
    )
    session.commit()


def test_readyz_metrics_and_the_doctor_say_that_the_clock_was_set(app: Flask, clocks: Clocks) -> None:
    words = "the database's clock was put forward by 90.0 s"
    assert clock_check() == "ok"
    clocks.step(90)
    (finding,) = check_clock.steadily()
    assert (finding.state, finding.says) == ("warning", words)
    assert clock_check() == words
    house = app.extensions["glovebox"]
    shown = gauges(app)
    assert shown["glovebox_clock_unsteady"] == 1
    assert shown["glovebox_clock_step_seconds"] == pytest.approx(90)
    clocks.go_on(60)
    house.watch.look()
    assert clock_check() == "ok"
    assert gauges(app)["glovebox_clock_unsteady"] == 0
    heartbeat.beat(heartbeat.clock_of("boxlink"), words)
    try:
        assert clock_check() == words
    finally:
        session.execute(text("delete from heartbeats where name like 'clock-%'"))
        session.commit()


def clock_check() -> str:
    checks: Any = ready.look()[0]["checks"]
    return str(checks["clock"])


def gauges(app: Flask) -> dict[str, float]:
    with app.app_context():
        return {family.name: family.samples[0].value for family in metrics.Clocks().collect()}
