"""What an iCalendar file (RFC 5545) says about when somebody is busy. Pure, and run apart: see `read_calendar`.

An event counts unless it is cancelled, marked as free (TRANSP, or Outlook's X-MICROSOFT-CDO-BUSYSTATUS) or without length.
A whole day is midnight to midnight on the clocks of the car; so is a time without a zone. One broken event is left out and
said, the others count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar

from app.cars.spans import Span, union

Node = Any
"""A part of a calendar: icalendar types what is in it as one of thirty."""
MOST_EVENTS, MOST_SPANS, MOST_SKIPPED = 10_000, 10_000, 20
_OFTEN = ("SECONDLY", "MINUTELY", "HOURLY")
_NEEDED = ("DTSTART", "DTEND", "DURATION", "RRULE")
"""What cannot be read here spoils the event; an exception that cannot be read only leaves it busy."""
ODD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""How the libraries refuse a rule, a zone or a time that makes no sense."""
_FREE = "FREE"


class NoCalendar(ValueError):
    """Nothing that can be read as a calendar; `code` says why: web_page, empty, broken or too_many."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Busy:
    """Spans as UTC instants, merged and in order; how many events there are; those left out, as (UID, why)."""

    spans: list[Span] = field(default_factory=list)
    events: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, uid: str, why: str) -> None:
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append((uid[:200], why))


def read(data: bytes, zone: ZoneInfo, start: datetime, end: datetime) -> Busy:
    """What the file says of [start, end). Raises NoCalendar."""
    found = Busy()
    spans: list[Span] = []
    for calendar in _calendars(data):
        for uid, series in _series(calendar, found):
            for begins, ends in _occurrences(uid, series, calendar, zone, start, end, found):
                spans.append((max(begins, start), min(ends, end)))
                if len(spans) > MOST_SPANS:
                    raise NoCalendar("too_many")
        spans += _free_busy(calendar, zone, start, end, found)
    found.spans = union(spans)
    return found


def _calendars(data: bytes) -> list[Node]:
    text = data.decode("utf-8-sig", "replace").strip("\x00 \r\n\t")
    if not text:
        raise NoCalendar("empty")
    if text[:100].lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise NoCalendar("web_page")
    if text.count("BEGIN:VEVENT") > MOST_EVENTS:
        raise NoCalendar("too_many")
    try:
        found = [one for one in Calendar.from_ical(text, multiple=True) if one.name == "VCALENDAR"]
    except Exception as error:  # a parser says in a dozen ways that text is no calendar
        raise NoCalendar("broken") from error
    if not found:
        raise NoCalendar("broken")
    return found


def _series(calendar: Node, found: Busy) -> Iterator[tuple[str, list[Node]]]:
    """The events by UID: a repetition together with its changed occurrences."""
    by_uid: dict[str, list[Node]] = {}
    for number, event in enumerate(calendar.walk("VEVENT")):
        found.events += 1
        uid = str(event.get("UID") or f"event {number + 1}")
        wrong = _wrong(event)
        if wrong:
            found.skip(uid, wrong)
        else:
            by_uid.setdefault(uid, []).append(event)
    yield from by_uid.items()


def _wrong(event: Node) -> str | None:
    """Why an event cannot be understood; None where it can."""
    if any(name in _NEEDED for name, _ in event.errors):
        return "broken"
    if "DTSTART" not in event:
        return "no_start"
    rules = event.get("RRULE") or []
    for rule in rules if isinstance(rules, list) else [rules]:
        if any(str(one).upper() in _OFTEN for one in rule.get("FREQ", [])):
            return "too_often"
    return None


def _occurrences(
    uid: str,
    series: list[Node],
    calendar: Node,
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    found: Busy,
) -> list[Span]:
    alone = Calendar()
    if calendar.get("X-WR-TIMEZONE"):
        alone.add("X-WR-TIMEZONE", calendar["X-WR-TIMEZONE"])
    for event in series:
        alone.add_component(event)
    try:
        # The days around are asked for as well: a time without a zone is not yet an instant.
        day = timedelta(days=1)
        around = recurring_ical_events.of(alone).between(start - day, end + day)
        spans = [_span(one, zone) for one in around if _counts(one)]
    except ODD:
        found.skip(uid, "broken")
        return []
    return [one for one in spans if one[0] < one[1] and one[0] < end and one[1] > start]


def _counts(event: Node) -> bool:
    said = {
        name: str(event.get(name, "")).upper() for name in ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS")
    }
    if said["STATUS"] == "CANCELLED":
        return False
    marked = said["X-MICROSOFT-CDO-BUSYSTATUS"]
    return marked != _FREE if marked else said["TRANSP"] != "TRANSPARENT"


def _span(event: Node, zone: ZoneInfo) -> Span:
    begins = event["DTSTART"].dt
    ends = event["DTEND"].dt if "DTEND" in event else None
    if ends is None and "DURATION" in event:
        ends = begins + event["DURATION"].dt
    if ends is None:
        ends = begins if isinstance(begins, datetime) else begins + timedelta(days=1)
    return _instant(begins, zone), _instant(ends, zone)


def _instant(given: date, zone: ZoneInfo) -> datetime:
    at = given if isinstance(given, datetime) else datetime.combine(given, time())
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _free_busy(calendar: Node, zone: ZoneInfo, start: datetime, end: datetime, found: Busy) -> list[Span]:
    """The periods of VFREEBUSY, which some send instead of events."""
    spans = []
    for component in calendar.walk("VFREEBUSY"):
        given = component.get("FREEBUSY") or []
        for one in given if isinstance(given, list) else [given]:
            try:
                kind = str(one.params.get("FBTYPE", "BUSY")).upper()
                begins, ends = (_instant(at, zone) for at in (one.start, one.end))
            except ODD:
                found.skip("VFREEBUSY", "broken")
                continue
            if kind != _FREE and begins < ends and begins < end and ends > start:
                spans.append((max(begins, start), min(ends, end)))
    return spans
