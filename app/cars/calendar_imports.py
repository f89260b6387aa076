"""Import a calendar: while its owner is busy there the car is not offered. Read again each hour, outside a transaction.

What it says narrows what the windows offer, as a window that is taken back does: what is booked stays booked.
"""

import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from psycopg.types.multirange import Multirange
from psycopg.types.range import TimestamptzRange
from sqlalchemy import select, text

from app.cars import access, read_calendar, windows
from app.cars.calendar_import_models import IMP, CalendarImport
from app.cars.models import Car
from app.cars.read_calendar import CannotRead, Found, Look
from app.facts import (
    CalendarImportAdded,
    CalendarImportFailing,
    CalendarImportRemoved,
    MemberRemoved,
    MembershipChanged,
)
from app.kit import clock, deadlines, facts, fetch, keys
from app.kit.db import bare, new_id, session, transactional
from app.kit.errors import InUse, NotFound, Validation
from app.kit.jobs import defer, job

MOST = 5
"""Calendars of one car."""
EVERY, AT_LEAST_WHOLE = timedelta(hours=1), timedelta(days=1)
LATEST_AGAIN = timedelta(hours=24)
TELL_AFTER = timedelta(hours=24)
LANES = 2
BY_HAND = timedelta(seconds=30)
"""A calendar read so recently is not read again because somebody asks for it."""
SECRET = "calendar address"  # noqa: S105 - the name of a purpose


# -- what its owner does ----------------------------------------------------------------------------------------------


@transactional
def add(person: str, car: str, *, url: str, name: str) -> CalendarImport:
    """Import a calendar; it is read at once, by a worker. Raises NotFound, NotAllowed, Validation, InUse."""
    found = access.may_run(car, person, lock=True)
    address = _address(url)
    if len(listed(car)) >= MOST:
        raise InUse(f"There are {MOST} calendars already: remove one.")
    made = CalendarImport(
        id=new_id(IMP),
        car_id=found.id,
        by_id=person,
        name=name,
        host=urlsplit(address).hostname,
        url_sealed=keys.seal(SECRET, address.encode()),
        made_at=clock.now(),
        asked_at=clock.now(),
        busy=Multirange(),
        skipped=[],
    )
    session.add(made)
    session.flush()
    facts.record(CalendarImportAdded(calendar_import=made.id, car=car, by=person))
    _soon(made.id)
    return made


def _address(url: str) -> str:
    """`webcal:` is what calendar programs call https. Raises Validation."""
    address = f"https:{url[len('webcal:') :]}" if url.lower().startswith("webcal:") else url
    try:
        fetch.check_url(address, local=keys.settings().clock_may_move)
    except fetch.AddressForbidden as error:
        raise Validation(errors=[{"pointer": "/url", "code": "invalid", "detail": str(error)}]) from error
    return address


def listed(car: str) -> list[CalendarImport]:
    rows = session.scalars(select(CalendarImport).filter_by(car_id=car).order_by(CalendarImport.id))
    return list(rows)


def find(car: str, import_id: str) -> CalendarImport:
    """Raises NotFound."""
    row = session.get(CalendarImport, import_id)
    if row is None or row.car_id != car:
        raise NotFound
    return row


@transactional
def remove(person: str, car: str, import_id: str) -> None:
    """Forget a calendar: the car is offered again as its windows say. Raises NotFound, NotAllowed."""
    found = access.may_run(car, person, lock=True)
    session.delete(find(car, import_id))
    session.flush()
    deadlines.drop(import_id)
    windows.recompute(found)
    facts.record(CalendarImportRemoved(calendar_import=import_id, car=car, by=person))


def forget(car: str) -> None:
    """Inside the transaction that removes a car: its owner's calendars are none of ours any longer."""
    for row in listed(car):
        deadlines.drop(row.id)
        session.delete(row)


@transactional
def of_leaver(fact: MemberRemoved | MembershipChanged) -> None:
    """Who runs a car no longer has no calendar of theirs in it."""
    theirs = select(CalendarImport).where(CalendarImport.by_id == fact.person).order_by(CalendarImport.id)
    for row in session.scalars(theirs).all():
        _forget_unless_run(row, fact.person)


def _forget_unless_run(row: CalendarImport, person: str) -> None:
    car = access.of(row.car_id, lock=True)
    if access.runs(car, person):
        return
    session.delete(row)
    session.flush()
    deadlines.drop(row.id)
    windows.recompute(car)
    facts.record(CalendarImportRemoved(calendar_import=row.id, car=car.id, by=person))


@transactional
def sync(person: str, car: str, import_id: str) -> CalendarImport:
    """Have it read now, unless it was a moment ago. Raises NotFound, NotAllowed."""
    access.may_run(car, person, lock=True)
    found = find(car, import_id)
    now = clock.now()
    if now - found.asked_at >= BY_HAND:
        found.asked_at = now
        _soon(found.id)
    return found


_CONFLICTS = text(
    "select x.ref, x.from_at, x.to_at from calendar_imports i join cars c on c.id = i.car_id"
    " join occupancy x on int4range(x.car_no, x.car_no, '[]') && int4range(c.no, c.no, '[]')"
    " and x.during && i.busy where i.id = :id and x.kind = 'rental' and x.to_at > :now order by x.from_at limit 20"
)


def conflicts(row: CalendarImport) -> list[dict[str, Any]]:
    """Rentals still to come, or out, in times in which the calendar says busy: the owner has to choose."""
    found = session.execute(_CONFLICTS, {"id": bare(row.id, IMP), "now": clock.now()})
    return [{"rental": one.ref, "from_at": one.from_at, "to_at": one.to_at} for one in found]


# -- reading it ---------------------------------------------------------------------------------------------------------


def _soon(import_id: str) -> None:
    """Two at a time at most: an address that stalls holds up other calendars, and nothing else. If it fails in a way that
    nobody foresaw, it is tried again with the next hour.
    """
    lane = zlib.crc32(import_id.encode()) % LANES
    defer("sync_calendar", lock=f"calendar:{lane}", calendar_import=import_id)
    deadlines.at("calendar_import", import_id, clock.now() + EVERY)


def due(import_id: str) -> None:
    """Deadline "calendar_import": it is time to look again."""
    _soon(import_id)


@job("sync_calendar")
def sync_calendar(calendar_import: str) -> None:
    """Read one calendar by another process, then write down what it says. A repeat changes nothing."""
    look = _look(calendar_import)
    if look is None:
        return
    try:
        found = read_calendar.read(look)
    except CannotRead as error:
        _missed(calendar_import, error.code)
    else:
        _took(calendar_import, look, found)


@transactional
def _look(import_id: str) -> Look | None:
    """None where it was removed meanwhile. Once a day it is read whole: the days at the horizon have come nearer."""
    row = session.get(CalendarImport, import_id)
    car = session.get(Car, row.car_id) if row is not None else None
    if row is None or car is None or car.removed_at is not None:
        return None
    now = clock.now()
    whole = row.read_at is None or now - row.read_at >= AT_LEAST_WHOLE or row.zone != car.time_zone
    return Look(
        keys.unseal(SECRET, row.url_sealed).decode(),
        car.time_zone,
        now - windows.BEHIND,
        now + windows.HORIZON + AT_LEAST_WHOLE,
        None if whole else row.etag,
        None if whole else row.last_modified,
        keys.settings().clock_may_move,
    )


def _locked(import_id: str) -> tuple[Car, CalendarImport] | None:
    """The car first, as everywhere."""
    row = session.get(CalendarImport, import_id)
    car = session.get(Car, row.car_id, with_for_update=True) if row is not None else None
    row = session.get(CalendarImport, import_id, with_for_update=True, populate_existing=True)
    return None if row is None or car is None or car.removed_at is not None else (car, row)


@transactional
def _took(import_id: str, look: Look, found: Found) -> None:
    locked = _locked(import_id)
    if locked is None:
        return
    car, row = locked
    now = clock.now()
    row.tried_at = row.last_sync_at = now
    row.error, row.failures, row.failing_since = None, 0, None
    if found.spans is not None:
        row.busy = Multirange([TimestamptzRange(a, b) for a, b in found.spans])
        row.events, row.skipped = found.events, [list(one) for one in found.skipped]
        row.etag, row.last_modified, row.zone, row.read_at = found.etag, found.last_modified, look.zone, now
        session.flush()
        windows.recompute(car)
    deadlines.at("calendar_import", row.id, now + EVERY)


@transactional
def _missed(import_id: str, code: str) -> None:
    """What it said last goes on to count. Tried again later each time; its owner is told once, after a day."""
    locked = _locked(import_id)
    if locked is None:
        return
    car, row = locked
    now = clock.now()
    since, last = row.failing_since or now, row.tried_at or now
    row.failing_since, row.tried_at, row.error, row.failures = since, now, code, row.failures + 1
    if now - since >= TELL_AFTER > last - since:
        facts.record(CalendarImportFailing(calendar_import=row.id, car=car.id, since=since))
    wait = min(EVERY * 2 ** min(row.failures - 1, 5), LATEST_AGAIN)
    deadlines.at("calendar_import", row.id, now + wait)
