"""Which span counts for the insurer, and what it costs."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insurance.period import (
    ChargedKm,
    LateRule,
    PremiumRate,
    Span,
    charged_km,
    charged_minutes,
    cover_spans,
    covered_minutes,
    estimate,
    premium,
)

START = datetime(2026, 7, 3, 12, tzinfo=UTC)
PLANNED = START + timedelta(hours=4)
STOP, REPORTED, LOCK = LateRule("stop"), LateRule("reported", 24), LateRule("lock")
RULES = st.sampled_from([STOP, REPORTED, LOCK])
HOUR = timedelta(hours=1)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=365)).map(lambda after: START + after)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=30))


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


@pytest.mark.parametrize(
    ("rule", "locked", "reported", "own_damage_end"),
    [
        (STOP, 3, None, 3),
        (STOP, 6, None, 4),
        (STOP, 6, 5, 4),
        (STOP, None, None, 4),
        (REPORTED, 3, None, 3),
        (REPORTED, 6, None, 4),
        (REPORTED, 6, 3, 6),
        (REPORTED, 6, 5, 6),
        (REPORTED, 6, 28, 6),
        (REPORTED, 6, 28.1, 4),
        (REPORTED, 40, 5, 28),
        (REPORTED, None, None, 4),
        (REPORTED, None, 5, 28),
        (LOCK, 3, None, 3),
        (LOCK, 90, None, 90),
        (LOCK, None, None, None),
    ],
)
def test_own_damage_follows_the_master_policys_late_rule(
    rule: LateRule, locked: float | None, reported: float | None, own_damage_end: float | None
) -> None:
    spans = cover_spans(
        start=START,
        planned_end=PLANNED,
        rule=rule,
        locked_at=None if locked is None else hours(locked),
        reported_at=None if reported is None else hours(reported),
    )
    assert spans.own_damage.to_at == (None if own_damage_end is None else hours(own_damage_end))
    assert spans.liability == Span(START, None if locked is None else hours(locked))


@given(RULES, INSTANTS, LENGTHS, LENGTHS, st.none() | LENGTHS)
def test_liability_always_runs_to_the_lock_and_holds_own_damage(
    rule: LateRule, start: datetime, planned: timedelta, used: timedelta, reported: timedelta | None
) -> None:
    spans = cover_spans(
        start=start,
        planned_end=start + planned,
        rule=rule,
        locked_at=start + used,
        reported_at=None if reported is None else start + reported,
    )
    assert spans.liability == Span(start, start + used)
    assert spans.own_damage.from_at == spans.liability.from_at
    assert spans.own_damage.to_at is not None
    assert spans.liability.to_at is not None
    assert spans.own_damage.to_at <= spans.liability.to_at
    if used <= planned:
        assert not spans.overrun


@given(RULES, INSTANTS, LENGTHS)
def test_while_the_car_is_out_liability_is_open(rule: LateRule, start: datetime, planned: timedelta) -> None:
    assert cover_spans(start=start, planned_end=start + planned, rule=rule).liability.to_at is None


@given(INSTANTS, LENGTHS, LENGTHS, INSTANTS)
def test_spans_that_touch_never_both_hold_an_instant(
    start: datetime, first: timedelta, second: timedelta, at: datetime
) -> None:
    before = Span(start, start + first)
    assert before.to_at is not None
    after = Span(before.to_at, before.to_at + second)
    assert not (before.holds(at) and after.holds(at))
    assert not before.holds(before.to_at)


def test_an_instant_is_utc_cut_to_the_millisecond() -> None:
    paris = timezone(timedelta(hours=2))
    span = Span(datetime(2026, 7, 3, 14, 0, 0, 123_999, tzinfo=paris))
    assert span.from_at == datetime(2026, 7, 3, 12, 0, 0, 123_000, tzinfo=UTC)
    assert span.from_at.tzinfo is UTC


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Span(datetime(2026, 7, 3))  # noqa: DTZ001 -- the fault under test


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        Span(PLANNED, START)


def test_a_span_may_be_empty_and_then_holds_nothing() -> None:
    assert not Span(START, START).holds(START)


def test_both_hours_of_the_autumn_change_are_counted() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert covered_minutes(Span(before, before + HOUR)) == 60


@pytest.mark.parametrize(
    ("locked", "meter", "covered", "charged"),
    [
        (START + HOUR, None, 60, 60),
        (START + HOUR + timedelta(seconds=1), None, 61, 61),
        (START + 3 * HOUR, START + HOUR, 180, 60),
        (START + HOUR, START + 3 * HOUR, 60, 60),
        (None, START + HOUR, None, 60),
        (None, None, None, None),
        (START, None, 0, 0),
    ],
)
def test_covered_and_charged_minutes_are_two_numbers(
    locked: datetime | None, meter: datetime | None, covered: int | None, charged: int | None
) -> None:
    liability = Span(START, locked)
    assert covered_minutes(liability) == covered
    assert charged_minutes(liability, meter) == charged


@given(INSTANTS, LENGTHS, st.none() | LENGTHS)
def test_nobody_is_charged_for_more_than_is_covered(
    start: datetime, used: timedelta, meter: timedelta | None
) -> None:
    liability = Span(start, start + used)
    charged = charged_minutes(liability, None if meter is None else start + meter)
    covered = covered_minutes(liability)
    assert charged is not None
    assert covered is not None
    assert 0 <= charged <= covered


HOURLY = PremiumRate(currency="EUR", per="hour", amount=150, day_cap=900, cap=5000, minimum_minutes=60)


@pytest.mark.parametrize(
    ("minutes", "price"),
    [
        (0, 0),
        (1, 150),
        (60, 150),
        (61, 300),
        (6 * 60, 900),
        (6 * 60 + 1, 900),
        (24 * 60, 900),
        (24 * 60 + 1, 1050),
        (5 * 24 * 60, 4500),
        (6 * 24 * 60, 5000),
    ],
)
def test_the_premium_is_by_the_started_hour_and_capped(minutes: int, price: int) -> None:
    assert premium(HOURLY, covered=minutes, charged=0) == price


def test_the_premium_may_be_by_the_started_day() -> None:
    daily = PremiumRate(currency="CHF", per="day", amount=1200)
    assert [premium(daily, covered=minutes, charged=0) for minutes in (1, 1440, 1441)] == [1200, 1200, 2400]


def test_a_minimum_lifts_short_rentals_only() -> None:
    rate = PremiumRate(currency="EUR", per="hour", amount=100, minimum_minutes=180)
    assert [premium(rate, covered=minutes, charged=0) for minutes in (0, 1, 180, 181)] == [0, 300, 300, 400]


def test_the_policy_says_which_minutes_count() -> None:
    charged = PremiumRate(currency="EUR", per="hour", amount=100, basis="charged")
    assert premium(charged, covered=600, charged=60) == 100
    assert premium(HOURLY, covered=60, charged=600) == 150


def test_negative_minutes_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        premium(HOURLY, covered=-1, charged=0)


PER_KM = PremiumRate(
    currency="EUR", per="km", amount=7, day_cap=2100, cap=5000, minimum_km=2, untold_km_per_hour=30
)


def by_km(start: int | None, end: int | None, minutes: int = 60) -> tuple[int, str, int]:
    """What is counted, how, and what it costs."""
    km = charged_km(PER_KM, covered=minutes, odometer_start_km=start, odometer_end_km=end)
    assert km is not None
    return km.km, km.by, premium(PER_KM, covered=minutes, charged=0, km=km)


@pytest.mark.parametrize(
    ("start", "end", "minutes", "found"),
    [
        (1200, 1237, 60, (37, "odometer", 259)),
        (1200, 1201, 60, (2, "odometer", 14)),
        (1200, 1200, 1, (2, "odometer", 14)),
        (1200, 1500, 1440, (300, "odometer", 2100)),
        (1200, 1501, 1440, (301, "odometer", 2100)),
        (1200, 1501, 1441, (301, "odometer", 2107)),
        (1200, 9200, 10 * 1440, (8000, "odometer", 5000)),
        (1200, 1237, 0, (0, "odometer", 0)),
        (None, 1237, 60, (30, "hours", 210)),
        (1200, None, 61, (60, "hours", 420)),
        (None, None, 1, (30, "hours", 210)),
        (1200, 1199, 60, (30, "hours", 210)),
    ],
)
def test_a_premium_by_the_kilometre_is_by_the_odometer_and_by_hours_where_none_was_told(
    start: int | None, end: int | None, minutes: int, found: tuple[int, str, int]
) -> None:
    assert by_km(start, end, minutes) == found


def test_the_kilometres_of_covers_one_after_the_other_are_those_the_car_drove() -> None:
    shown = [1200, 1203, 1270, 1272, 1300]
    counted = sum(by_km(a, b)[0] for a, b in pairwise(shown))
    assert counted == shown[-1] - shown[0]


def test_a_rate_by_time_counts_no_kilometres() -> None:
    assert charged_km(HOURLY, covered=60, odometer_start_km=1, odometer_end_km=9) is None


def test_a_rate_by_the_kilometre_is_never_reckoned_without_them() -> None:
    for km in (None, ChargedKm(-1, "odometer")):
        with pytest.raises(ValueError, match="per kilometre"):
            premium(PER_KM, covered=60, charged=60, km=km)


def test_a_premium_is_estimated_for_the_planned_span_and_the_stated_kilometres() -> None:
    span = Span(START, START + HOUR)
    assert estimate(HOURLY, span, None) == 150
    assert estimate(PER_KM, span, 40) == 280
    assert estimate(PER_KM, span, 0) == 14
    assert estimate(PER_KM, span, None) is None
    with pytest.raises(ValueError, match="planned span"):
        estimate(PER_KM, Span(START), 40)


@given(
    st.integers(1, 50_000),
    st.integers(0, 5_000),
    st.none() | st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
    st.integers(0, 1000),
)
def test_a_cover_of_any_minute_costs_something_by_the_kilometre_and_never_less_for_more(
    minutes: int, longer: int, start: int | None, end: int | None, further: int
) -> None:
    _, _, short = by_km(start, end, minutes)
    told = start is not None and end is not None and end >= start
    _, _, long = by_km(start, end + further if told and end is not None else end, minutes + longer)
    assert 0 < short <= long <= 5000


RATES = st.builds(
    PremiumRate,
    currency=st.just("EUR"),
    per=st.sampled_from(["hour", "day"]),
    amount=st.integers(0, 100_000),
    day_cap=st.none() | st.integers(0, 100_000),
    cap=st.none() | st.integers(0, 1_000_000),
    minimum_minutes=st.integers(0, 1440),
)


@given(RATES, st.integers(0, 50_000), st.integers(0, 5_000))
def test_a_longer_rental_never_has_a_smaller_premium(rate: PremiumRate, minutes: int, more: int) -> None:
    short = premium(rate, covered=minutes, charged=0)
    long = premium(rate, covered=minutes + more, charged=0)
    assert 0 <= short <= long
    assert rate.cap is None or long <= rate.cap
