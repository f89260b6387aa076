"""What an iCalendar file (RFC 5545) says about when somebody is busy. Pure, and run apart: see `read_calendar`.

An event counts unless it is cancelled, marked as free (TRANSP, or Outlook's X-MICROSOFT-CDO-BUSYSTATUS) or without length.
A whole day is midnight to midnight on the clocks of the car; so is a time without a zone. One broken event is left out and
said, the others count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
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
    reading, spans = _Reading(zone, start, end), list[Span]()
    for calendar in _calendars(data):
        for span in chain(reading.events_of(calendar), reading.free_busy_of(calendar)):
            spans.append(span)
            if len(spans) > MOST_SPANS:
                raise NoCalendar("too_many")
    reading.found.spans = union(spans)
    return reading.found


@dataclass(slots=True)
class _Reading:
    """One file, read for a span, on the clocks of a zone."""

    zone: ZoneInfo
    start: datetime
    end: datetime
    found: Busy = field(default_factory=Busy)

    def events_of(self, calendar: Node) -> Iterator[Span]:
        for uid, series in self._series(calendar):
            yield from self._occurrences(uid, series, calendar)

    def free_busy_of(self, calendar: Node) -> Iterator[Span]:
        """The periods of VFREEBUSY, which some send instead of events."""
        for component in calendar.walk("VFREEBUSY"):
            given = component.get("FREEBUSY") or []
            for one in given if isinstance(given, list) else [given]:
                try:
                    kind = str(one.params.get("FBTYPE", "BUSY")).upper()
                    span = self._instant(one.start), self._instant(one.end)
                except ODD:
                    self.found.skip("VFREEBUSY", "broken")
                    continue
                if kind != _FREE:
                    yield from self._within(span)

    def _series(self, calendar: Node) -> Iterator[tuple[str, list[Node]]]:
        """The events by UID: a repetition together with its changed occurrences."""
        by_uid: dict[str, list[Node]] = {}
        for number, event in enumerate(calendar.walk("VEVENT")):
            self.found.events += 1
            uid = str(event.get("UID") or f"event {number + 1}")
            wrong = _wrong(event)
            if wrong:
                self.found.skip(uid, wrong)
            else:
                by_uid.setdefault(uid, []).append(event)
        yield from by_uid.items()

    def _occurrences(self, uid: str, series: list[Node], calendar: Node) -> Iterator[Span]:
        alone = Calendar()
        if calendar.get("X-WR-TIMEZONE"):
            alone.add("X-WR-TIMEZONE", calendar["X-WR-TIMEZONE"])
        for event in series:
            alone.add_component(event)
        try:
            # The days around are asked for as well: a time without a zone is not yet an instant.
            day = timedelta(days=1)
            around = recurring_ical_events.of(alone).between(self.start - day, self.end + day)
            spans = [self._span(one) for one in around if _counts(one)]
        except ODD:
            self.found.skip(uid, "broken")
            return
        for span in spans:
            yield from self._within(span)

    def _span(self, event: Node) -> Span:
        begins = event["DTSTART"].dt
        ends = event["DTEND"].dt if "DTEND" in event else None
        if ends is None and "DURATION" in event:
            ends = begins + event["DURATION"].dt
        if ends is None:
            ends = begins if isinstance(begins, datetime) else begins + timedelta(days=1)
        return self._instant(begins), self._instant(ends)

    def _instant(self, given: date) -> datetime:
        at = given if isinstance(given, datetime) else datetime.combine(given, time())
        return (at if at.tzinfo else at.replace(tzinfo=self.zone)).astimezone(UTC)

    def _within(self, span: Span) -> Iterator[Span]:
        """What of a span lies in the time that is asked for."""
        begins, ends = max(span[0], self.start), min(span[1], self.end)
        if begins < ends:
            yield begins, ends


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


def _counts(event: Node) -> bool:
    said = {
        name: str(event.get(name, "")).upper() for name in ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS")
    }
    if said["STATUS"] == "CANCELLED":
        return False
    marked = said["X-MICROSOFT-CDO-BUSYSTATUS"]
    return marked != _FREE if marked else said["TRANSP"] != "TRANSPARENT"
