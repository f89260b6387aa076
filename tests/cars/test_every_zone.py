"""Windows in every zone of the world on every day its clocks are changed from 2026 to 2030, against dateutil's dates."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import DAILY, rrule

from app.cars.windows import Rule, instant, spans
from tests.cars.test_windows import as_written

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
DAY, HOUR, QUARTER = timedelta(days=1), timedelta(hours=1), timedelta(minutes=15)
DAYS = [FIRST + n * DAY for n in range((LAST - FIRST).days + 1)]
TEN_COUNTRIES = (
    *("Europe/Paris", "Europe/Berlin", "Europe/Busingen", "Europe/Brussels", "Europe/Rome", "Europe/Madrid"),
    *("Africa/Ceuta", "Atlantic/Canary", "Europe/Lisbon", "Atlantic/Azores", "Atlantic/Madeira"),
    *("Europe/Amsterdam", "Europe/Vienna", "Europe/London", "Europe/Zurich"),
)


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The instants at which the clocks of a zone are changed, to the minute."""
    days = ((day, day.astimezone(zone).utcoffset()) for day in DAYS)
    for (low, before), (high, after) in pairwise(days):
        if before == after:
            continue
        first, then = low, high
        while then - first > timedelta(minutes=1):
            middle = first + (then - first) / 2
            same = middle.astimezone(zone).utcoffset() == before
            first, then = (middle, then) if same else (first, middle)
        yield then.replace(second=0, microsecond=0)


def around(change: datetime, zone: ZoneInfo) -> list[datetime]:
    """Wall times in quarters of an hour from three hours before a change to three after, those that are not there too."""
    begins = (change - 3 * HOUR).astimezone(zone).replace(tzinfo=None)
    return [begins + n * QUARTER for n in range(29)]


@cache
def switches() -> list[tuple[ZoneInfo, datetime]]:
    """Each change of clocks there is, in one of the zones that change theirs so: zone and instant."""
    found: dict[tuple[datetime, timedelta | None, timedelta | None], ZoneInfo] = {}
    for zone in (ZoneInfo(name) for name in sorted(available_timezones())):
        for change in changes(zone):
            before, after = (one.astimezone(zone).utcoffset() for one in (change - DAY, change + DAY))
            found.setdefault((change, before, after), zone)
    return [(zone, change) for (change, _, _), zone in found.items()]


def test_all_ten_countries_change_their_clocks_twice_a_year() -> None:
    for name in TEN_COUNTRIES:
        assert len(list(changes(ZoneInfo(name)))) == 10, name


def test_a_wall_time_near_a_change_is_the_instant_the_words_say() -> None:
    wrong = [
        (zone.key, wall)
        for zone, change in switches()
        for wall in around(change, zone)
        if instant(wall, zone) != as_written(wall, zone)
    ]
    assert wrong == []


def test_a_daily_window_over_a_change_is_what_its_dates_come_to() -> None:
    wrong = []
    for zone, change in switches():
        for wall in around(change, zone)[::4]:
            begins, length = wall - 2 * DAY, 5 * HOUR
            dates = rrule(DAILY, dtstart=begins, count=5)
            wanted = [(as_written(one, zone), as_written(one + length, zone)) for one in dates]
            rule = Rule(begins, begins + length, f"FREQ=DAILY;UNTIL={begins + 4 * DAY:%Y%m%dT%H%M%S}")
            if spans(rule, zone, change - 5 * DAY, change + 5 * DAY) != wanted:
                wrong.append((zone.key, wall))
    assert wrong == []
