"""What rules in the car's wall time come to, on the days the clocks are changed too."""

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rruleset, rrulestr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.cars.spans import Span, union
from app.cars.windows import Rule, check_rrule, instant, is_over, spans

STANDARD = {
    "Europe/Lisbon": 0,
    "Atlantic/Azores": -1,
    "Europe/Madrid": 1,
    "Atlantic/Canary": 0,
    "Europe/Paris": 1,
    "Europe/Berlin": 1,
    "Europe/Brussels": 1,
    "Europe/Amsterdam": 1,
    "Europe/Rome": 1,
    "Europe/Vienna": 1,
    "Europe/Zurich": 1,
    "Europe/London": 0,
}
"""Hours ahead of UTC in winter; all of them change at 01:00 UTC, so there is no wall time from 1 to 2 o'clock of winter
time in spring, and it is there twice in autumn (directive 2000/84/EC; the United Kingdom and Switzerland do the same)."""
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ZONES = pytest.mark.parametrize("zone", STANDARD)


def wall(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - wall time


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def around(rule: Rule, zone: str, day: date, days: int = 1) -> list[Span]:
    """The spans that touch the day, `days` before and after it included."""
    return spans(rule, ZoneInfo(zone), utc(day, 0) - days * DAY, utc(day, 24) + days * DAY)


# -- the two days ----------------------------------------------------------------------------------------------------


@ZONES
@pytest.mark.parametrize("how", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY", None])
def test_a_skipped_time_moves_forward_by_the_gap(zone: str, how: str | None) -> None:
    first = SPRING if how is None else SPRING - 14 * DAY
    hour = 1 + STANDARD[zone]
    rule = Rule(wall(first, hour, 30), wall(first, 12), how)
    assert (utc(SPRING, 1, 30), utc(SPRING, 12 - STANDARD[zone] - 1)) in around(rule, zone, SPRING)


@ZONES
@pytest.mark.parametrize("how", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY", None])
def test_a_doubled_time_is_the_first(zone: str, how: str | None) -> None:
    first = AUTUMN if how is None else AUTUMN - 14 * DAY
    hour = 1 + STANDARD[zone]
    rule = Rule(wall(first, hour, 30), wall(first, 12), how)
    assert (utc(AUTUMN, 0, 30), utc(AUTUMN, 12 - STANDARD[zone])) in around(rule, zone, AUTUMN)


@ZONES
def test_an_end_that_is_skipped_or_doubled_is_read_alike(zone: str) -> None:
    hour = 1 + STANDARD[zone]
    for day, ends in ((SPRING, utc(SPRING, 1, 30)), (AUTUMN, utc(AUTUMN, 0, 30))):
        begins = wall(day - DAY, 20)
        assert [b for _, b in around(Rule(begins, wall(day, hour, 30)), zone, day)] == [ends]


@ZONES
@pytest.mark.parametrize(("day", "length"), [(SPRING, 23), (AUTUMN, 25)])
def test_whole_days_join_and_the_day_of_the_switch_has_its_own_length(
    zone: str, day: date, length: int
) -> None:
    rule = Rule(wall(day - 9 * DAY, 0), wall(day - 8 * DAY, 0), "FREQ=DAILY")
    found = around(rule, zone, day, 3)
    assert len(union(found)) == 1
    assert [b - a for a, b in found if a == instant(wall(day, 0), ZoneInfo(zone))] == [length * HOUR]
    assert {b - a for a, b in found} == {24 * HOUR, length * HOUR}


@ZONES
@pytest.mark.parametrize(("day", "night"), [(SPRING, 7), (AUTUMN, 9)])
def test_a_night_is_an_hour_shorter_or_longer_and_the_days_keep_their_hours(
    zone: str, day: date, night: int
) -> None:
    saturday = day - 15 * DAY
    nights = Rule(wall(saturday, 22), wall(saturday + DAY, 6), "FREQ=WEEKLY;BYDAY=SA")
    assert [b - a for a, b in around(nights, zone, day, 0)] == [night * HOUR]
    days = around(Rule(wall(saturday, 9), wall(saturday, 17), "FREQ=DAILY"), zone, day)
    offset = STANDARD[zone] + (day == AUTUMN)
    for n, one in enumerate((day - DAY, day, day + DAY)):
        now = offset if n == 0 else STANDARD[zone] + (day == SPRING)
        assert (utc(one, 9 - now), utc(one, 17 - now)) in days


@ZONES
def test_a_window_inside_the_skipped_hour_is_an_hour_later(zone: str) -> None:
    hour = 1 + STANDARD[zone]
    rule = Rule(wall(SPRING - 7 * DAY, hour, 10), wall(SPRING - 7 * DAY, hour, 50), "FREQ=WEEKLY")
    assert (utc(SPRING, 1, 10), utc(SPRING, 1, 50)) in around(rule, zone, SPRING)


@ZONES
def test_a_window_whose_end_comes_before_its_moved_beginning_is_none(zone: str) -> None:
    hour = 1 + STANDARD[zone]
    rule = Rule(wall(SPRING, hour, 45), wall(SPRING, hour + 1, 15))
    assert around(rule, zone, SPRING) == []


@ZONES
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_the_day_of_the_switch_is_taken_out_and_put_in_like_any_other(zone: str, day: date) -> None:
    hour, first = 1 + STANDARD[zone], day - 7 * DAY
    every = Rule(wall(first, hour, 30), wall(first, 20), "FREQ=DAILY")
    without = Rule(every.from_local, every.to_local, every.rrule, exdates=(day,))
    alone = Rule(every.from_local, every.to_local, rdates=(day,))
    gone = set(around(every, zone, day)) - set(around(without, zone, day))
    assert gone == set(around(alone, zone, day))
    assert len(gone) == 1


@ZONES
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_every_other_week_keeps_its_step_over_the_switch_and_ends_on_its_last_day(
    zone: str, day: date
) -> None:
    first = day - 14 * DAY
    until = f"{day + 14 * DAY:%Y%m%d}"
    rule = Rule(wall(first, 10), wall(first, 11), f"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;UNTIL={until}")
    begun = [a.astimezone(ZoneInfo(zone)).date() for a, _ in around(rule, zone, day, 30)]
    assert begun == [day + n * DAY for n in (-14, -5, 0, 9, 14)], "weeks begin on Monday"


# -- properties ------------------------------------------------------------------------------------------------------

zones = st.sampled_from([ZoneInfo(name) for name in STANDARD])
minutes = st.integers(0, 3 * 365 * 24 * 60).map(lambda n: wall(date(2026, 1, 1), 0) + timedelta(minutes=n))
near_a_switch = st.builds(
    lambda day, n: wall(day - DAY, 20) + timedelta(minutes=n),
    st.sampled_from([SPRING, AUTUMN]),
    st.integers(0, 12 * 60),
)
walls = st.one_of(minutes, near_a_switch)
days = walls.map(lambda at: at.date())
parts = st.tuples(
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY"]),
    st.one_of(st.just(""), st.integers(1, 53).map(lambda n: f"INTERVAL={n}")),
    st.one_of(
        st.just(""),
        st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1).map(
            lambda found: "BYDAY=" + ",".join(sorted(found))
        ),
    ),
    st.one_of(st.just(""), walls.map("UNTIL={:%Y%m%d}".format), walls.map("UNTIL={:%Y%m%dT%H%M%S}".format)),
)
rrules = parts.map(lambda found: ";".join(part for part in found if part))
rules = st.builds(
    lambda begins, length, rrule, exdates, rdates: Rule(
        begins, begins + timedelta(minutes=length), rrule, tuple(exdates), tuple(rdates)
    ),
    walls,
    st.integers(1, 7 * 24 * 60),
    st.one_of(st.none(), rrules),
    st.lists(days, max_size=5),
    st.lists(days, max_size=5),
)
START = utc(date(2027, 1, 1), 0)
horizons = st.tuples(st.integers(0, 300), st.integers(1, 400)).map(
    lambda n: (START + n[0] * DAY, START + (n[0] + n[1]) * DAY)
)


def as_written(local: datetime, zone: ZoneInfo) -> datetime:
    """The rule for wall times by its words alone: the first instant that reads so; if none does, on by the gap."""
    before, after = ((local.replace(tzinfo=UTC) + n * DAY).astimezone(zone).utcoffset() for n in (-1, 1))
    assert before is not None
    assert after is not None
    reads = [
        at
        for offset in (before, after)
        for at in [local.replace(tzinfo=UTC) - offset]
        if at.astimezone(zone).replace(tzinfo=None) == local
    ]
    return min(reads) if reads else local.replace(tzinfo=UTC) - before


def by_the_calendar(rule: Rule, until: datetime) -> set[datetime]:
    """The wall times of a rule as dateutil, the usual reader of RRULEs, has them."""
    dates, time = rruleset(), rule.from_local.time()
    if rule.rrule is None:
        dates.rdate(rule.from_local)
    else:
        written = re.sub(r"UNTIL=(\d{8})$", r"UNTIL=\1T235959", rule.rrule)
        for one in rrulestr(written, dtstart=rule.from_local):
            if one > until:
                break
            dates.rdate(one)
    for day in rule.rdates:
        dates.rdate(datetime.combine(day, time))
    for day in rule.exdates:
        dates.exdate(datetime.combine(day, time))
    return set(dates)


@given(walls, zones)
def test_a_wall_time_is_the_instant_the_words_say(local: datetime, zone: ZoneInfo) -> None:
    assert instant(local, zone) == as_written(local, zone)


@settings(deadline=None)
@given(rules, zones, horizons)
@example(
    Rule(wall(SPRING, 2, 30), wall(SPRING, 9), "FREQ=DAILY;INTERVAL=7;BYDAY=SA"),
    ZoneInfo("Europe/Paris"),
    (START, START + 400 * DAY),
)
def test_a_rule_comes_to_what_its_dates_come_to_one_by_one(
    rule: Rule, zone: ZoneInfo, horizon: tuple[datetime, datetime]
) -> None:
    start, end = horizon
    length = rule.to_local - rule.from_local
    last = (end + 2 * DAY).replace(tzinfo=None)
    every = {(as_written(one, zone), as_written(one + length, zone)) for one in by_the_calendar(rule, last)}
    wanted = {(a, b) for a, b in every if a < b and a < end and b > start}
    assert set(spans(rule, zone, start, end)) == wanted


@given(rules, zones, horizons, st.integers(1, 400))
def test_what_is_read_in_two_parts_is_what_is_read_at_once(
    rule: Rule, zone: ZoneInfo, horizon: tuple[datetime, datetime], cut: int
) -> None:
    (start, end), between = horizon, horizon[0] + cut * HOUR
    halves = {*spans(rule, zone, start, between), *spans(rule, zone, between, max(end, between))}
    assert halves == set(spans(rule, zone, start, max(end, between)))


@given(rules, zones, horizons, days)
def test_a_day_taken_out_takes_out_its_span_alone_and_comes_back_with_it(
    rule: Rule, zone: ZoneInfo, horizon: tuple[datetime, datetime], day: date
) -> None:
    begins = instant(datetime.combine(day, rule.from_local.time()), zone)
    fewer = Rule(rule.from_local, rule.to_local, rule.rrule, (*rule.exdates, day), rule.rdates)
    more = Rule(
        rule.from_local,
        rule.to_local,
        rule.rrule,
        tuple(one for one in rule.exdates if one != day),
        (*rule.rdates, day),
    )
    without = spans(fewer, zone, *horizon)
    assert [one for one in without if one[0] == begins] == []
    assert {one for one in spans(more, zone, *horizon) if one[0] != begins} == set(without)


@given(st.lists(st.tuples(walls, st.integers(1, 5000)), max_size=20), zones, walls)
def test_a_union_holds_the_same_instants_in_order_and_apart(
    found: list[tuple[datetime, int]], zone: ZoneInfo, local: datetime
) -> None:
    before = [(instant(a, zone), instant(a, zone) + timedelta(minutes=n)) for a, n in found]
    merged = union(before)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(merged))
    for at in (instant(local, zone), *(edge for one in before for edge in one)):
        assert any(a <= at < b for a, b in before) == any(a <= at < b for a, b in merged)


@given(rrules)
def test_what_is_within_the_rules_is_taken(rule: str) -> None:
    assert check_rrule(rule) is None


@given(st.one_of(st.text("ADFEQRILYUNTBMOWKV0123456789=;,T", max_size=40), rrules.map(lambda one: one[:-1])))
@example("FREQ=DAILY;UNTIL=20270230")
@example("FREQ=DAILY;UNTIL=20270331T240000")
@example("FREQ=WEEKLY;INTERVAL=0")
def test_what_is_taken_can_be_read_and_all_else_is_refused_in_words(rule: str) -> None:
    wrong = check_rrule(rule)
    if wrong is None:
        begins = wall(SPRING, 2, 30)
        spans(Rule(begins, begins + HOUR, rule), ZoneInfo("Europe/Paris"), START, START + 400 * DAY)
    else:
        assert wrong.endswith(".")


# -- single dates ----------------------------------------------------------------------------------------------------


def test_a_single_window_whose_day_is_taken_out_offers_nothing() -> None:
    begins = wall(SPRING, 9)
    assert around(Rule(begins, begins + HOUR, exdates=(SPRING,)), "Europe/Paris", SPRING) == []


def test_a_rule_that_never_comes_true_offers_nothing() -> None:
    """Every seventh day from a Monday is no Tuesday; it is asked day by day, not until the year 9999."""
    monday = SPRING + DAY
    never = Rule(wall(monday, 9), wall(monday, 10), "FREQ=DAILY;INTERVAL=7;BYDAY=TU")
    assert around(never, "Europe/Paris", SPRING, 400) == []


@pytest.mark.parametrize(
    ("rrule", "rdates", "last"),
    [
        (None, (), SPRING),
        (None, (SPRING + 9 * DAY,), SPRING + 9 * DAY),
        ("FREQ=DAILY;UNTIL=20270401", (), date(2027, 4, 1)),
    ],
    ids=["single", "single dates", "until"],
)
def test_a_rule_is_over_when_its_last_window_has_ended(
    rrule: str | None, rdates: tuple[date, ...], last: date
) -> None:
    rule = Rule(wall(SPRING, 22), wall(SPRING + DAY, 2), rrule, rdates=rdates)
    assert not is_over(rule, wall(last + DAY, 1, 59))
    assert is_over(rule, wall(last + 2 * DAY, 2))


def test_one_without_an_end_is_never_over() -> None:
    assert not is_over(Rule(wall(SPRING, 9), wall(SPRING, 10), "FREQ=WEEKLY"), wall(date(9999, 1, 1), 0))
