"""A car's calendar drawn: where a span lies within its day, on the days the clocks are changed too."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from app.cars.calendar_picture import LEFT, WIDE, Sheet, Shown, midnight, month_of, week_of
from tests import factories
from tests.communities.circle import Voice, voice

ZONE = ZoneInfo("Europe/Paris")
WORDS = {"free": "free", "held": "taken", "blocked": "not offered"}
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)


def bars(days: list[date], *spans: Shown) -> list[tuple[str, str, float, float]]:
    """Day, kind, and from which to which hour of 24 each bar is drawn."""
    drawn = ET.fromstring(Sheet(days, ZONE, WORDS, Locale("en", "GB")).svg("Renault Zoe", spans))  # noqa: S314 - ours
    found = []
    for row in drawn.iter("{http://www.w3.org/2000/svg}g"):
        for bar in row.iter("{http://www.w3.org/2000/svg}rect"):
            x, width = float(bar.attrib["x"]), float(bar.attrib["width"])
            hours = [round((at - LEFT) / WIDE * 24, 1) for at in (x, x + width)]
            found.append((row.attrib["data-day"], bar.attrib["data-is"], *hours))
    return found  # type: ignore[return-value]


def test_a_span_lies_at_its_hours() -> None:
    day = date(2027, 3, 1)
    held = Shown("held", datetime(2027, 3, 1, 8, tzinfo=UTC), datetime(2027, 3, 1, 11, tzinfo=UTC))
    assert bars([day], held) == [("2027-03-01", "held", 9.0, 12.0)]


def test_a_span_over_midnight_is_drawn_on_both_days_and_not_outside_them() -> None:
    held = Shown("held", datetime(2027, 3, 1, 20, tzinfo=UTC), datetime(2027, 3, 9, 5, tzinfo=UTC))
    days = week_of(date(2027, 3, 3))
    found = bars(days, held)
    assert [one[0] for one in found] == [str(day) for day in days]
    assert found[0] == ("2027-03-01", "held", 21.0, 24.0)
    assert {one[2:] for one in found[1:]} == {(0.0, 24.0)}


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_the_day_of_a_switch_is_as_wide_as_others(day: date, hours: int) -> None:
    begins = midnight(day, ZONE)
    whole = Shown("free", begins, begins + timedelta(hours=hours))
    half = Shown("held", begins, begins + timedelta(hours=hours / 2))
    assert [one[2:] for one in bars([day], whole, half)] == [(0.0, 24.0), (0.0, 12.0)]


@pytest.mark.parametrize(
    ("day", "length"), [(date(2027, 2, 14), 28), (date(2028, 2, 29), 29), (date(2027, 12, 31), 31)]
)
def test_a_month_is_whole(day: date, length: int) -> None:
    days = month_of(day)
    assert (len(days), days[0].day, days[-1].month) == (length, 1, day.month)


def test_a_name_that_looks_like_markup_is_text() -> None:
    drawn = Sheet([SPRING], ZONE, WORDS, Locale("en", "GB")).svg("<script>&", [])
    assert "<script>" not in drawn
    assert ET.fromstring(drawn).findtext("{http://www.w3.org/2000/svg}title") == "<script>&"  # noqa: S314 - ours


def fetch(who: Voice, car: str, query: str = "", **headers: str) -> Any:
    return who.answer("GET", f"/cars/{car}/calendar.svg{query}", **headers)


def test_members_fetch_the_picture_in_their_language(olga: Voice) -> None:
    car = factories.car(olga.person)
    answer = fetch(olga, car.id, "?day=2027-03-03&span=month", Accept_Language="fr")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert "lun. 1 mars" in answer.text
    assert len(re.findall("data-day", answer.text)) == 31


def test_for_others_there_is_no_picture(olga: Voice, app: Any) -> None:
    assert fetch(voice(app, "Charlie"), factories.car(olga.person).id).status_code == 404
