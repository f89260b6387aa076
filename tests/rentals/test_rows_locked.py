"""The rows of a rental are locked in one order: whoever waits for the car holds none of the others yet."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.kit.db import bare, transactional
from app.kit.listen import conninfo
from app.rentals import access, outcome, pause
from carbox.box import Answer, AnswerKind
from tests.rentals.scene import Scene


@pytest.fixture
def other(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's transaction."""
    with psycopg.connect(conninfo(database)) as connection:
        yield connection
        connection.rollback()


def beside(app: Flask, work: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with app.app_context():
            return work()

    return run


def waits_for_a_lock(database: str) -> None:
    with psycopg.connect(conninfo(database), autocommit=True) as looking:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            waiting = looking.execute("select 1 from pg_locks where not granted").fetchone()
            if waiting:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_rental_is_locked_after_its_car_and_read_as_it_is_then(
    app: Flask, scene: Scene, database: str, other: psycopg.Connection[Any]
) -> None:
    @transactional
    def note() -> str | None:
        return access.locked(scene.rental_id)[1].note

    other.execute("select 1 from cars where id = %s for update", (bare(scene.car_id, "car"),))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(beside(app, note))
        waits_for_a_lock(database)
        rental = (bare(scene.rental_id, "ren"),)
        other.execute("select 1 from rentals where id = %s for update nowait", rental)
        other.execute("update rentals set note = 'meanwhile' where id = %s", rental)
        other.commit()
        assert found.result(10) == "meanwhile"


def test_an_answer_locks_the_car_before_all_that_it_changes(
    app: Flask, scene: Scene, database: str, other: psycopg.Connection[Any]
) -> None:
    scene.set_state("active")
    command = pause.pause(scene.caller(), scene.rental_id).id
    other.execute("select 1 from cars where id = %s for update", (bare(scene.car_id, "car"),))
    with ThreadPoolExecutor(1) as pool:
        settled = pool.submit(beside(app, lambda: outcome.apply(command, Answer(AnswerKind.SILENT))))
        waits_for_a_lock(database)
        other.execute(
            "select 1 from rentals r join commands c on c.rental_id = r.id join boxes b on b.id = c.box_id"
            " where c.id = %s for update nowait",
            (bare(command, "cmd"),),
        )
        other.execute(
            "update commands set state = 'refused', settled_at = made_at where id = %s",
            (bare(command, "cmd"),),
        )
        other.commit()
        settled.result(10)
    stands = other.execute("select state from commands where id = %s", (bare(command, "cmd"),)).fetchone()
    assert stands == ("refused",), "what another settled meanwhile was settled again"
