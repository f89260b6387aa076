"""What an iCalendar file says about when somebody is busy: as Google, Apple and Outlook write them, and broken ones."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from app.cars.busy_times import Busy, NoCalendar, read
from app.cars.spans import Span
from tests.cars.agenda import calendar

ZONE = ZoneInfo("Europe/Paris")
START, END = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
WINDOWS_ZONE = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


def busy(*events: str, head: str = "", zone: ZoneInfo = ZONE) -> list[Span]:
    return read(calendar(*events, head=head).encode(), zone, START, END).spans


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "span"),
    [
        ("DTSTART:20270301T090000Z\nDTEND:20270301T100000Z", (utc(3, 1, 9), utc(3, 1, 10))),
        ("DTSTART;TZID=Europe/Berlin:20270701T090000\nDURATION:PT90M", (utc(7, 1, 7), utc(7, 1, 8, 30))),
        ("DTSTART:20270301T090000\nDTEND:20270301T100000", (utc(3, 1, 8), utc(3, 1, 9))),
        ("DTSTART;VALUE=DATE:20270301", (utc(2, 28, 23), utc(3, 1, 23))),
        ("DTSTART;VALUE=DATE:20270328\nDTEND;VALUE=DATE:20270329", (utc(3, 27, 23), utc(3, 28, 22))),
        ("DTSTART:20261231T220000Z\nDTEND:20270101T020000Z", (START, utc(1, 1, 2))),
    ],
    ids=["instants", "zone", "floating", "day", "day of the switch", "over the edge"],
)
def test_an_event_is_busy_for_as_long_as_it_says(event: str, span: Span) -> None:
    assert busy(event) == [span]


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nTRANSP:TRANSPARENT",
        "DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nSTATUS:CANCELLED",
        "DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "DTSTART:20270301T090000Z",
        "DTSTART:20290301T090000Z\nDTEND:20290301T100000Z",
    ],
    ids=["free", "cancelled", "free at Outlook", "no length", "another year"],
)
def test_what_does_not_keep_anybody_busy_does_not_count(event: str) -> None:
    assert busy(event) == []


@pytest.mark.parametrize(
    "zone", ["Europe/Lisbon", "Europe/Paris", "Europe/London", "Atlantic/Azores", "Atlantic/Canary"]
)
def test_a_repeated_event_keeps_its_wall_time_over_both_switches(zone: str) -> None:
    first = datetime(2027, 1, 4, 8, tzinfo=ZoneInfo(zone))
    event = f"DTSTART;TZID={zone}:20270104T080000\nDTEND;TZID={zone}:20270104T090000\nRRULE:FREQ=WEEKLY"
    days = rrulestr("FREQ=WEEKLY", dtstart=first.replace(tzinfo=None)).between(
        first.replace(tzinfo=None),
        datetime(2027, 12, 31),  # noqa: DTZ001 - wall time
        inc=True,
    )
    wanted = [one.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for one in days]
    assert busy(event) == [(one, one + timedelta(hours=1)) for one in wanted]


def test_a_moved_and_a_left_out_occurrence_are_where_they_were_moved_and_nowhere() -> None:
    weekly = (
        "DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE:20270308T090000Z"
    )
    moved = "RECURRENCE-ID:20270315T090000Z\nDTSTART:20270316T150000Z\nDTEND:20270316T160000Z"
    text = calendar(weekly, moved).replace("UID:1@test", "UID:0@test")
    spans = read(text.encode(), ZONE, START, END).spans
    assert spans == [(utc(3, 1, 9), utc(3, 1, 10)), (utc(3, 16, 15), utc(3, 16, 16))]


def test_outlooks_own_names_of_zones_are_understood() -> None:
    event = "DTSTART;TZID=W. Europe Standard Time:20270701T090000\nDTEND;TZID=W. Europe Standard Time:20270701T100000"
    assert busy(event, head=WINDOWS_ZONE) == [(utc(7, 1, 7), utc(7, 1, 8))]
    assert busy(event) == [(utc(7, 1, 7), utc(7, 1, 8))]


def test_events_that_overlap_are_one_span() -> None:
    one, two = (
        "DTSTART:20270301T090000Z\nDTEND:20270301T100000Z",
        "DTSTART:20270301T093000Z\nDTEND:20270301T120000Z",
    )
    assert busy(one, two) == [(utc(3, 1, 9), utc(3, 1, 12))]


def test_the_periods_of_a_free_busy_list_count() -> None:
    periods = (
        "FREEBUSY;FBTYPE=BUSY:20270301T090000Z/20270301T100000Z\r\nFREEBUSY;FBTYPE=FREE:20270302T090000Z/PT1H"
    )
    text = f"BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\n{periods}\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    assert read(text.encode(), ZONE, START, END).spans == [(utc(3, 1, 9), utc(3, 1, 10))]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("SUMMARY:when?", "no_start"),
        ("DTSTART:20271341T090000Z", "broken"),
        ("DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nRRULE:FREQ=SECONDLY", "too_often"),
        ("DTSTART:20270301T090000Z\nDTEND:20270301T100000Z\nRRULE:FREQ=WEEKLY;BYDAY=XX", "broken"),
    ],
)
def test_an_event_that_makes_no_sense_is_left_out_and_said_and_the_others_count(event: str, why: str) -> None:
    good = "DTSTART:20270501T090000Z\nDTEND:20270501T100000Z"
    found = read(calendar(event, good).encode(), ZONE, START, END)
    assert (found.skipped, found.spans) == ([("0@test", why)], [(utc(5, 1, 9), utc(5, 1, 10))])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web_page"),
        (b"PK\x03\x04 not a calendar", "broken"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "broken"),
        (
            b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 10_001 + b"END:VCALENDAR\r\n",
            "too_many",
        ),
    ],
    ids=["nothing", "nothing but a mark", "web page", "archive", "half", "too many"],
)
def test_what_is_no_calendar_is_refused_with_the_reason(data: bytes, code: str) -> None:
    with pytest.raises(NoCalendar) as refused:
        read(data, ZONE, START, END)
    assert refused.value.code == code


def test_more_occurrences_than_anybody_has_are_refused() -> None:
    daily = "DTSTART:20270101T{:02}0000Z\nDURATION:PT30M\nRRULE:FREQ=DAILY"
    with pytest.raises(NoCalendar):
        busy(*(daily.format(number % 24) for number in range(30)))


def _published() -> list[Traversable]:
    """The sample files that icalendar and recurring-ical-events come with: real programs', and what once broke them."""
    folders = [
        files("icalendar").joinpath("tests", "calendars"),
        files("icalendar").joinpath("tests", "events"),
    ]
    return [one for folder in folders for one in folder.iterdir() if one.name.endswith(".ics")]


def test_every_published_sample_is_read_or_refused_with_a_reason() -> None:
    since, until = datetime(1990, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
    outcomes: list[Busy | str] = []
    for one in _published():
        try:
            outcomes.append(read(one.read_bytes(), ZONE, since, until))
        except NoCalendar as refused:
            outcomes.append(refused.code)
    read_well = [one for one in outcomes if isinstance(one, Busy)]
    assert len(outcomes) > 100
    assert all(one.spans == sorted(one.spans) for one in read_well)
    assert sum(bool(one.spans) for one in read_well) > 40
    assert {one for one in outcomes if isinstance(one, str)} <= {"broken", "empty"}
