"""Calendars to subscribe to: one's own rentals, or what becomes of a car, as RFC 5545 has it, at a secret address.

Whoever has the address reads it, a calendar provider too: no place, no plate, of others a first name at most. What its
owner may no longer see is no longer in it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from sqlalchemy import func, select

from app import facts
from app.cars import access as cars
from app.cars.calendar_models import Block
from app.cars.models import Car
from app.kit import clock, i18n
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse, NotFound
from app.kit.facts import FactRow
from app.kit.keys import b64, mac, settings
from app.people.models import Person
from app.rentals.feed_models import FED, CalendarFeed
from app.rentals.lifecycle import FINAL, State
from app.rentals.models import Rental

MOST, MOST_ENTRIES = 20, 1000
"""Feeds of a person; entries of each kind, the latest."""
BEHIND = timedelta(days=90)
REFRESH = timedelta(minutes=30)
_CALLED_OFF = FINAL - {State.SETTLED}
_CHANGES = (
    facts.RentalAsked,
    facts.RentalBooked,
    facts.RentalDeclined,
    facts.RentalWithdrawn,
    facts.RentalLapsed,
    facts.RentalCancelled,
    facts.RentalSwapped,
    facts.TakenInstead,
    facts.RentalNoShow,
    facts.RentalStarted,
    facts.RentalEnded,
    facts.RentalExtended,
)
"""The facts after which an entry reads otherwise: its SEQUENCE counts them, its DTSTAMP is the last one's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a feed; `what` names it to the calendar program for good, `status` is the standard's word."""

    what: str
    title: str
    from_at: datetime
    to_at: datetime
    status: str
    sequence: int
    stamp: datetime


# -- the addresses ------------------------------------------------------------------------------------------------------


@transactional
def add(person: str, car: str | None) -> tuple[CalendarFeed, str]:
    """A new feed and its address, which is shown once. Raises NotFound for a car one may not see, InUse."""
    if car is not None:
        cars.may_see(car, person)
    if len(listed(person)) >= MOST:
        raise InUse(f"There are {MOST} feeds already: remove one.")
    secret = secrets.token_urlsafe(24)
    made = CalendarFeed(
        id=new_id(FED), person_id=person, car_id=car, secret_hash=_hashed(secret), made_at=clock.now()
    )
    session.add(made)
    session.flush()
    return made, f"{settings().public_url}/feeds/{secret}.ics"


def listed(person: str) -> list[CalendarFeed]:
    rows = session.scalars(select(CalendarFeed).filter_by(person_id=person).order_by(CalendarFeed.id))
    return list(rows)


@transactional
def remove(person: str, feed: str) -> None:
    """Its address is dead when this returns. Raises NotFound."""
    found = session.get(CalendarFeed, feed)
    if found is None or found.person_id != person:
        raise NotFound
    session.delete(found)


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


# -- what stands there --------------------------------------------------------------------------------------------------


def read(secret: str) -> bytes:
    """The calendar at a secret address. Raises NotFound for one that is wrong, removed, or of a car no longer shared."""
    found = session.scalars(select(CalendarFeed).filter_by(secret_hash=_hashed(secret))).first()
    if found is None:
        raise NotFound
    person = session.get_one(Person, found.person_id)
    language = i18n.pick(person.language)
    if found.car_id is None:
        return _written(i18n.say("feed.mine", language), _own(person.id, language), language)
    car = cars.may_see(found.car_id, person.id)
    entries = _of_car(car, language, runs=cars.runs(car, person.id))
    return _written(_name(car), [(one, car.time_zone) for one in entries], language)


def _name(car: Car) -> str:
    return f"{car.make} {car.model}"


def _own(person: str, language: str) -> list[tuple[Entry, str]]:
    """What a driver booked, each on the clocks of its car."""
    rows = session.execute(
        select(Rental, Car)
        .join(Car, Car.id == Rental.car_id)
        .where(Rental.driver_id == person, Rental.to_at > clock.now() - BEHIND)
        .order_by(Rental.from_at.desc())
        .limit(MOST_ENTRIES)
    ).all()
    changes = _changes([row.Rental.id for row in rows])
    return [(_entry(row.Rental, _name(row.Car), changes, language), row.Car.time_zone) for row in rows]


def _of_car(car: Car, language: str, *, runs: bool) -> list[Entry]:
    """Who drives when, and the blocks. For members who do not run it: when it is lent or blocked, not to whom or why, and
    without the ids of others' rentals.
    """
    rows = session.execute(
        select(Rental, Person)
        .join(Person, Person.id == Rental.driver_id)
        .where(Rental.car_id == car.id, Rental.to_at > clock.now() - BEHIND)
        .order_by(Rental.from_at.desc())
        .limit(MOST_ENTRIES)
    ).all()
    changes = _changes([row.Rental.id for row in rows])
    lent, somebody = (i18n.say(key, language) for key in ("feed.lent", "person.somebody"))
    entries = [
        _entry(row.Rental, (row.Person.first_name or somebody) if runs else lent, changes, language)
        for row in rows
    ]
    entries += _blocks(car, language)
    return entries if runs else [replace(one, what=_unknown(one.what)) for one in entries]


def _unknown(what: str) -> str:
    return b64(mac("calendar feed", what)[:16])


def _blocks(car: Car, language: str) -> list[Entry]:
    title = i18n.say("feed.blocked", language)
    since = select(Block).where(Block.car_id == car.id, Block.to_at > clock.now() - BEHIND)
    rows = session.scalars(since.order_by(Block.from_at.desc()).limit(MOST_ENTRIES))
    return [
        Entry(one.id, title, one.from_at, one.to_at, "CONFIRMED", one.changes, one.changed_at) for one in rows
    ]


def _entry(rental: Rental, title: str, changes: dict[str, tuple[int, datetime]], language: str) -> Entry:
    state = rental.stands
    asked = state is State.REQUESTED
    sequence, stamp = changes.get(rental.id, (0, rental.made_at))
    return Entry(
        rental.id,
        i18n.say("feed.asked", language, what=title) if asked else title,
        min(rental.from_at, rental.started_at or rental.from_at),
        rental.ended_at or rental.to_at,
        "CANCELLED" if state in _CALLED_OFF else "TENTATIVE" if asked else "CONFIRMED",
        sequence,
        stamp,
    )


def _changes(rentals: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """How often each was changed before, and when last."""
    rental = FactRow.data["rental"].astext
    rows = session.execute(
        select(rental, func.count() - 1, func.max(FactRow.at))
        .where(rental.in_(rentals), FactRow.kind.in_([one.kind for one in _CHANGES]))
        .group_by(rental)
    )
    return {one: (count, at) for one, count, at in rows}


def _written(name: str, entries: Sequence[tuple[Entry, str]], language: str) -> bytes:
    """The same entries make the same bytes: a program that has them already is told so."""
    made = Calendar.new(
        name=name, language=language, prodid="-//Glovebox//Calendar 1//EN", refresh_interval=REFRESH
    )
    made.pop("UID", None)
    made.add("X-WR-CALNAME", name)
    host = settings().public_url.partition("//")[2]
    for entry, zone in entries:
        made.add_component(_event(entry, ZoneInfo(zone), host))
    years = [entry.from_at.year for entry, _ in entries] or [clock.now().year]
    made.add_missing_timezones(date(min(years) - 1, 1, 1), date(max(years) + 2, 1, 1))
    written: bytes = made.to_ical()
    return written


def _event(entry: Entry, zone: ZoneInfo, host: str) -> Event:
    event = Event()
    event.add("UID", f"{entry.what}@{host}")
    event.add("DTSTAMP", entry.stamp.astimezone(UTC).replace(microsecond=0))
    event.add("SEQUENCE", entry.sequence)
    event.add("DTSTART", _wall(entry.from_at, zone))
    event.add("DTEND", _wall(entry.to_at, zone))
    event.add("SUMMARY", entry.title)
    event.add("STATUS", entry.status)
    event.add("TRANSP", "TRANSPARENT" if entry.status == "CANCELLED" else "OPAQUE")
    return event


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """On the clocks there, to the second; the hour that is there twice is told in UTC, for a wall time means the first."""
    there = at.astimezone(zone).replace(microsecond=0)
    return there.astimezone(UTC) if there.fold else there
