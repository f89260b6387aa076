"""Between the network and the database: one state per box, the newest of each reading, whatever the database does."""

import queue
import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.boxlink import ingest
from app.boxlink.inbox import Inbox
from app.cars import readings
from carbox.box import BoxState
from tests.cars.test_readings import paired, said, value


def known(state: BoxState) -> dict[str, Any]:
    return {name: one.value for name, one in state.items()}


def test_however_much_comes_there_is_one_state_per_box_with_the_newest() -> None:
    inbox = Inbox()
    for number in range(1000):
        inbox.add("box-1", said(odometer_km=float(number)))
        inbox.add("box-2", said(locked=number % 2 == 0))
    inbox.add("box-1", said(locked=True))
    assert len(inbox) == 2
    taken = inbox.take()
    assert known(taken["box-1"]) == {"odometer_km": 999.0, "locked": True}
    assert known(taken["box-2"]) == {"locked": False}
    assert inbox.take() == {}


def test_what_is_put_back_gives_way_to_what_came_meanwhile() -> None:
    inbox = Inbox()
    inbox.add("box-1", said(locked=True, odometer_km=1.0))
    batch = inbox.take()
    inbox.add("box-1", said(locked=False))
    inbox.put_back(batch)
    assert known(inbox.take()["box-1"]) == {"locked": False, "odometer_km": 1.0}


def test_what_many_threads_bring_is_all_there() -> None:
    inbox = Inbox()

    def bring(number: int) -> None:
        values: dict[str, Any] = {f"r{number}": 1}
        for box in range(200):
            inbox.add(f"box-{box}", said(**values))

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    found: dict[str, set[str]] = {}
    while any(thread.is_alive() for thread in threads) or len(inbox):
        for username, state in inbox.take().items():
            found.setdefault(username, set()).update(state)
    assert len(found) == 200
    assert all(names == {"r0", "r1", "r2", "r3"} for names in found.values())


def test_a_value_the_database_cannot_store_costs_only_its_own_box(app: Flask) -> None:
    good, bad = paired(), paired()
    inbox = Inbox()
    inbox.add(bad, said(locked="\x00"))
    inbox.add(good, said(locked=True))
    ingest.write(inbox)
    assert (value(good, "locked"), value(bad, "locked"), len(inbox)) == (True, None, 0)


def test_a_rule_that_breaks_on_one_box_costs_no_other(app: Flask) -> None:
    good, bad = paired(), paired()
    inbox = Inbox()
    inbox.add(bad, said(locked=True))
    inbox.add(good, said(locked=True))

    def breaks(batch: dict[str, BoxState]) -> None:
        if bad in batch:
            raise ValueError("a rule")
        readings.take_all(batch)

    ingest.write(inbox, store=breaks)
    assert (value(good, "locked"), value(bad, "locked"), len(inbox)) == (True, None, 0)


def test_what_comes_after_calm_is_written_at_once(app: Flask) -> None:
    inbox, stop = Inbox(), threading.Event()
    seen: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def store(batch: dict[str, BoxState]) -> None:
        seen.put(sorted(batch))
        while not stop.is_set() and len(inbox) < 2:
            stop.wait(0.001)  # a writing under way, until two more have come

    def keep_writing() -> None:
        with app.app_context():
            ingest.keep_writing(inbox, stop, store)

    thread = threading.Thread(target=keep_writing)
    thread.start()
    inbox.add("box-1", said(locked=True))
    assert seen.get(timeout=10) == ["box-1"]
    inbox.add("box-2", said(locked=True))
    inbox.add("box-3", said(locked=True))
    assert seen.get(timeout=10) == ["box-2", "box-3"]
    stop.set()
    thread.join(10)


def test_a_database_that_is_away_loses_no_reading(app: Flask) -> None:
    username = paired()
    inbox = Inbox()
    inbox.add(username, said(locked=True))

    def away(_batch: object) -> None:
        raise OperationalError("update", {}, ConnectionError("gone"))

    with pytest.raises(OperationalError):
        ingest.write(inbox, store=away)
    assert len(inbox) == 1
    ingest.write(inbox)
    assert value(username, "locked") is True
