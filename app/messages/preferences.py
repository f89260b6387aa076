"""How a person wants to be told: quiet hours, channels, news one by one or once a day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.cars.windows import instant
from app.kit.db import session, transactional
from app.kit.errors import Validation
from app.messages.kinds import topic_of
from app.messages.models import Preferences
from app.people.models import Person

CHANNELS = ("push", "mail")
DIGEST = ("off", "daily")
DIGEST_AT = time(18)


@dataclass(frozen=True, slots=True)
class Wishes:
    """`quiet` in the person's wall time, over midnight where it begins later than it ends."""

    quiet: tuple[time, time] | None
    channels: tuple[str, ...]
    digest: bool
    zone: ZoneInfo
    topics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def channels_of(self, kind: str) -> tuple[str, ...]:
        """Those chosen for the kind's topic, else those for all."""
        return self.topics.get(topic_of(kind) or "", self.channels)

    def quiet_until(self, at: datetime) -> datetime | None:
        """When the quiet hours around `at` end; None outside them."""
        if self.quiet is None:
            return None
        begins, ends = self.quiet
        local = at.astimezone(self.zone)
        now = local.time().replace(tzinfo=None)
        inside = begins <= now < ends if begins < ends else now >= begins or now < ends
        return _next(local, ends, self.zone) if inside else None

    def digest_at(self, at: datetime) -> datetime:
        """The next hour of the digest."""
        return _next(at.astimezone(self.zone), DIGEST_AT, self.zone)


def _next(local: datetime, wall: time, zone: ZoneInfo) -> datetime:
    """The next instant at which clocks there show that time."""
    today = datetime.combine(local.date(), wall)
    # the second time, on the night when clocks go back
    again = today.replace(tzinfo=zone, fold=1).astimezone(UTC)
    ahead = (instant(today, zone), again, instant(today + timedelta(days=1), zone))
    return next(one for one in ahead if one > local)


def of(person: Person) -> Wishes:
    """A person's wishes; without a row: every channel, at any hour, one by one."""
    return _wishes(person, session.get(Preferences, person.id))


def of_all(people: Sequence[Person]) -> dict[str, Wishes]:
    """The wishes of many, by person, in one question."""
    wanted = select(Preferences).where(Preferences.person_id.in_([one.id for one in people]))
    rows = {row.person_id: row for row in session.scalars(wanted)}
    return {one.id: _wishes(one, rows.get(one.id)) for one in people}


def _wishes(person: Person, row: Preferences | None) -> Wishes:
    zone = ZoneInfo(person.time_zone)
    if row is None:
        return Wishes(None, CHANNELS, digest=False, zone=zone)
    topics = {topic: tuple(ways) for topic, ways in row.topics.items()}
    return Wishes(_quiet(row), tuple(row.channels), digest=row.digest == "daily", zone=zone, topics=topics)


def _in_order(ways: Sequence[str]) -> list[str]:
    return [one for one in CHANNELS if one in ways]


def _quiet(row: Preferences) -> tuple[time, time] | None:
    if row.quiet_from is None or row.quiet_to is None:
        return None
    return row.quiet_from, row.quiet_to


def shown(person: str) -> dict[str, Any]:
    """The preferences as the API shows them."""
    row = session.get(Preferences, person)
    if row is None:
        return {"quiet": None, "channels": list(CHANNELS), "digest": "off", "topics": {}}
    times = _quiet(row)
    quiet = {"from": f"{times[0]:%H:%M}", "to": f"{times[1]:%H:%M}"} if times else None
    return {"quiet": quiet, "channels": row.channels, "digest": row.digest, "topics": row.topics}


@transactional
def replace(person: str, body: dict[str, Any], check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Put new preferences in place of the old; topics an older app does not know stay. Raises Validation for quiet
    hours without length.
    """
    session.get_one(Person, person, with_for_update=True)
    before = shown(person)
    check(before)
    quiet = body["quiet"]
    if quiet is not None and quiet["from"] == quiet["to"]:
        where = [{"pointer": "/quiet/to", "code": "invalid", "detail": "Must differ from the beginning."}]
        raise Validation(errors=where)
    row = Preferences(
        person_id=person,
        quiet_from=time.fromisoformat(quiet["from"]) if quiet else None,
        quiet_to=time.fromisoformat(quiet["to"]) if quiet else None,
        channels=_in_order(body["channels"]),
        digest=body["digest"],
        topics={topic: _in_order(ways) for topic, ways in body["topics"].items()}
        if "topics" in body
        else before["topics"],
    )
    session.merge(row)
    session.flush()
    return shown(person)
