"""What boxes say, written for many at once: newest by receipt, whoever of two boxlinks writes first."""

import threading
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from app.cars import box as boxes
from app.cars import readings
from app.cars.models import Box
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.facts import FactRow
from carbox.box import BoxState, Reading
from tests import factories

PAIRED = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}


def paired() -> str:
    """The username of a new car's box."""
    olga = factories.person()
    box, _password = boxes.put(olga.id, factories.car(olga).id, PAIRED)
    return box.username


def said(ago_s: float = 0, *, retained: bool = False, **values: Any) -> BoxState:
    at = clock.real_now() - timedelta(seconds=ago_s)
    return BoxState({name: Reading(name, value, at, retained) for name, value in values.items()})


def row(username: str) -> Box:
    session.rollback()
    session.expire_all()
    return session.scalars(select(Box).where(Box.username == username)).one()


def value(username: str, name: str) -> Any:
    return readings.value(row(username), name)


def told_low(username: str) -> list[int]:
    car = row(username).car_id
    rows = session.scalars(select(FactRow).where(FactRow.kind == "ChargeLow"))
    return [one.data["percent"] for one in rows if one.data["car"] == car]


def test_many_boxes_are_written_at_once_and_an_unknown_one_is_nobodys(app: Flask) -> None:
    first, second = paired(), paired()
    readings.take_all(
        {first: said(charge_percent=70.0), second: said(locked=True), "box-nobody": said(locked=False)}
    )
    assert (value(first, "charge_percent"), value(second, "locked")) == (70.0, True)
    assert row(first).last_heard_at is not None
    assert value(first, "locked") is None


def test_a_reading_is_replaced_only_by_one_received_later(app: Flask) -> None:
    username = paired()
    readings.take(username, said(locked=True, charge_percent=50.0))
    readings.take(username, said(ago_s=5, locked=False, odometer_km=12.0))
    assert (value(username, "locked"), value(username, "odometer_km")) == (True, 12.0)
    heard = row(username).last_heard_at
    readings.take(username, said(ago_s=60, locked=False))
    assert row(username).last_heard_at == heard
    readings.take(username, said(locked=False))
    assert value(username, "locked") is False


def test_the_later_of_two_is_kept_however_long_it_took_to_write_it(app: Flask) -> None:
    username = paired()
    earlier, later = said(locked=True), said(locked=False)
    readings.take(username, earlier)

    @transactional
    def slowly() -> None:
        clock.now()
        session.execute(text("select pg_sleep(0.05)"))
        readings.take(username, later)

    slowly()
    assert value(username, "locked") is False


def test_a_retained_reading_never_replaces_one_of_known_age_and_is_no_sign_of_life(app: Flask) -> None:
    username = paired()
    readings.take(username, said(retained=True, locked=True))
    assert (value(username, "locked"), row(username).last_heard_at) == (True, None)
    assert readings.instant(row(username), "locked") is None
    readings.take(username, said(retained=True, locked=False))
    assert value(username, "locked") is False
    readings.take(username, said(locked=False))
    readings.take(username, said(retained=True, locked=True))
    assert value(username, "locked") is False


def test_of_two_writers_at_once_nothing_newer_is_lost(app: Flask) -> None:
    """The second waits for the first, then judges by the row as it is."""
    username = paired()
    newer, older = said(locked=False, charge_percent=60.0), said(ago_s=3, locked=True, odometer_km=9.0)
    waits = threading.Event()

    def second() -> None:
        with app.app_context():
            waits.set()
            readings.take(username, older)

    thread = threading.Thread(target=second)

    @transactional
    def first() -> None:
        readings.take(username, newer)
        thread.start()
        waits.wait(5)
        pid = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%FROM boxes%FOR UPDATE%'"
        for _ in range(500):
            if session.execute(text(pid)).first():
                return
            session.execute(text("select pg_sleep(0.01), pg_stat_clear_snapshot()"))
        raise AssertionError("the second writer did not wait")

    first()
    thread.join(10)
    found = {name: value(username, name) for name in ("locked", "charge_percent", "odometer_km")}
    assert found == {"locked": False, "charge_percent": 60.0, "odometer_km": 9.0}


def test_a_low_charge_is_told_once_and_again_after_it_was_fine(app: Flask) -> None:
    username = paired()
    for percent in (19.5, 12.0, 25.0, 18.0):
        readings.take(username, said(charge_percent=percent))
    assert told_low(username) == [19]
    readings.take(username, said(charge_percent=35.0))
    readings.take(username, said(retained=True, charge_percent=5.0))
    readings.take(username, said(charge_percent=15.0))
    assert told_low(username) == [19, 15]


def test_the_brokers_word_that_a_box_is_gone_is_kept_and_is_no_sign_of_life(app: Flask) -> None:
    username = paired()
    readings.take(username, said(connected=True))
    heard = row(username).last_heard_at
    assert row(username).connected
    readings.take(username, said(connected=False))
    assert (row(username).connected, row(username).last_heard_at) == (False, heard)
    readings.take(username, said(retained=True, connected=True))
    assert not row(username).connected


def test_who_was_told_offline_is_so_until_the_box_speaks(app: Flask) -> None:
    username = paired()
    row(username).told_offline = True
    session.commit()
    readings.take(username, said(connected=False))
    assert row(username).told_offline
    readings.take(username, said(charge_percent=44.0))
    assert not row(username).told_offline
