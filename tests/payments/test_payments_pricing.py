import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import Money
from payments.pricing import estimate, final, hold_amount, owed_on_cancellation
from payments.tariff import CancellationStep, Fare, Price, Tariff

PARIS = ZoneInfo("Europe/Paris")
ZONES = [
    "Europe/Lisbon",
    "Atlantic/Azores",
    "Europe/Madrid",
    "Atlantic/Canary",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/Amsterdam",
    "Europe/Rome",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/London",
]
HOUR = timedelta(hours=1)
START = datetime(2026, 7, 6, 8, tzinfo=UTC)
TARIFF = Tariff(
    currency="EUR",
    hour=600,
    day_cap=4000,
    km_included_per_day=100,
    per_km=30,
    minimum=500,
    late_fee=1500,
    late_grace_min=30,
    cancellation=(CancellationStep(48, 30), CancellationStep(24, 50), CancellationStep(2, 100)),
    early_return_percent=50,
)

money_fields = st.integers(0, 20_000)
tariffs = st.builds(
    Tariff,
    currency=st.sampled_from(["EUR", "GBP", "CHF"]),
    hour=money_fields,
    day_cap=st.none() | money_fields,
    km_included_per_day=st.integers(0, 300),
    per_km=st.integers(0, 200),
    minimum=money_fields,
    late_fee=money_fields,
    late_grace_min=st.integers(0, 120),
    early_return_percent=st.integers(0, 100),
    cancellation=st.lists(
        st.builds(CancellationStep, hours_before=st.integers(0, 200), percent=st.integers(0, 100)), max_size=8
    ).map(tuple),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
fares = st.sampled_from(Fare)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(0), timedelta(days=30))
kms = st.integers(0, 3000)


def amounts(price: Price) -> list[tuple[str, int, int]]:
    return [(line.code, line.quantity, line.amount.amount) for line in price.lines]


def test_two_hours_and_a_started_minute_cost_121_minutes() -> None:
    price = estimate(TARIFF, Fare.PRICED, START, START + 2 * HOUR + timedelta(seconds=1), PARIS)
    assert amounts(price) == [("time", 121, 1210)]


def test_a_rental_over_midnight_is_two_price_days_each_with_its_cap() -> None:
    evening = datetime(2026, 7, 6, 22, tzinfo=PARIS)
    price = estimate(TARIFF, Fare.PRICED, evening, evening + 12 * HOUR, PARIS)
    assert amounts(price) == [("time", 120, 1200), ("day_cap", 600, 4000)]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-06", 24)])
@pytest.mark.parametrize("name", ZONES)
def test_a_switch_day_bills_the_hours_that_really_passed(name: str, day: str, hours: int) -> None:
    zone = ZoneInfo(name)
    tariff = replace(TARIFF, day_cap=None)
    from_ = datetime.fromisoformat(day).replace(tzinfo=zone)
    price = estimate(tariff, Fare.PRICED, from_, from_ + timedelta(days=1), zone)
    assert amounts(price) == [("time", hours * 60, hours * 600)]


def test_kilometres_above_the_included_ones_of_each_started_day_are_charged() -> None:
    price = estimate(TARIFF, Fare.PRICED, START, START + 25 * HOUR, PARIS, expected_km=210)
    assert price.lines[-1].code == "km"
    assert price.lines[-1].quantity == 10


def test_a_short_rental_is_topped_up_to_the_minimum() -> None:
    price = estimate(TARIFF, Fare.PRICED, START, START + timedelta(minutes=10), PARIS)
    assert amounts(price) == [("time", 10, 100), ("minimum", 1, 400)]


def test_at_cost_is_kilometres_alone_from_the_first_one() -> None:
    price = estimate(TARIFF, Fare.AT_COST, START, START + 5 * HOUR, PARIS, expected_km=40)
    assert amounts(price) == [("km", 40, 1200)]


def test_free_costs_nothing_and_holds_nothing() -> None:
    for tariff, fare in [(TARIFF, Fare.FREE), (Tariff(), Fare.PRICED)]:
        price = final(tariff, fare, START, START + HOUR, START, START + 9 * HOUR, PARIS, 500)
        assert price == Price((), Money(0, "EUR"))
        assert not hold_amount(tariff, fare, price, START, START + HOUR)


@pytest.mark.parametrize(("minutes_late", "fee"), [(0, 0), (30, 0), (31, 1500)])
def test_the_late_fee_comes_after_the_grace(minutes_late: int, fee: int) -> None:
    end = START + 2 * HOUR
    price = final(TARIFF, Fare.PRICED, START, end, START, end + timedelta(minutes=minutes_late), PARIS)
    assert price.total.amount == 1200 + 10 * minutes_late + fee


def test_an_early_return_gives_back_its_share_of_the_unused_time() -> None:
    price = final(TARIFF, Fare.PRICED, START, START + 4 * HOUR, START, START + 2 * HOUR, PARIS)
    assert amounts(price) == [("time", 240, 2400), ("early_return", 120, -600)]


def test_an_early_unlock_counts_from_the_unlock_and_a_late_one_from_the_booked_start() -> None:
    end = START + 2 * HOUR
    early = final(TARIFF, Fare.PRICED, START, end, START - timedelta(minutes=15), end, PARIS)
    late = final(TARIFF, Fare.PRICED, START, end, START + HOUR, end, PARIS)
    assert [early.total.amount, late.total.amount] == [1350, 1200]


def test_a_car_that_fails_is_charged_to_that_instant_at_most() -> None:
    price = final(
        TARIFF,
        Fare.PRICED,
        START,
        START + 4 * HOUR,
        START,
        START + 9 * HOUR,
        PARIS,
        10,
        car_failed_at=START + HOUR / 4,
    )
    assert amounts(price) == [("time", 15, 150)]


@pytest.mark.parametrize(
    ("hours_before", "owed"), [(49, 0), (48, 0), (47, 360), (3, 600), (1, 1200), (-1, 1200)]
)
def test_the_ladder_asks_more_the_nearer_the_start(hours_before: int, owed: int) -> None:
    price = estimate(TARIFF, Fare.PRICED, START, START + 2 * HOUR, PARIS, expected_km=500)
    at = START - hours_before * HOUR
    assert owed_on_cancellation(TARIFF, price, START, at, "driver") == Money(owed, "EUR")
    assert not owed_on_cancellation(TARIFF, price, START, at, "owner")
    assert not owed_on_cancellation(TARIFF, price, START, at, "system")


def test_the_hold_leaves_room_for_fifty_kilometres_a_day_an_hour_and_the_late_fee() -> None:
    price = estimate(TARIFF, Fare.PRICED, START, START + 2 * HOUR, PARIS)
    held = hold_amount(TARIFF, Fare.PRICED, price, START, START + 2 * HOUR)
    assert held.amount == 1200 + 50 * 30 + 600 + 1500


def test_wall_times_and_backward_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="instants"):
        estimate(TARIFF, Fare.PRICED, START.replace(tzinfo=None), START, PARIS)
    with pytest.raises(ValueError, match="ends after"):
        estimate(TARIFF, Fare.PRICED, START, START - HOUR, PARIS)


@pytest.mark.parametrize("wrong", [{"hour": -1}, {"per_km": 0.5}, {"early_return_percent": 101}])
def test_terms_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Tariff(currency="EUR", **wrong)


@given(tariffs, fares, instants, spans, spans, zones, kms)
def test_an_estimate_is_never_negative_adds_up_and_never_falls_with_time(
    tariff: Tariff, fare: Fare, from_: datetime, span: timedelta, more: timedelta, zone: ZoneInfo, km: int
) -> None:
    price = estimate(tariff, fare, from_, from_ + span, zone, km)
    assert price.total.amount == sum(line.amount.amount for line in price.lines) >= 0
    shorter = estimate(tariff, fare, from_, from_ + span, zone)
    longer = estimate(tariff, fare, from_, from_ + span + more, zone)
    assert shorter.total <= longer.total


@given(tariffs, fares, instants, spans, zones, kms, kms)
def test_an_estimate_never_falls_with_kilometres(
    tariff: Tariff, fare: Fare, from_: datetime, span: timedelta, zone: ZoneInfo, km: int, more: int
) -> None:
    less = estimate(tariff, fare, from_, from_ + span, zone, km)
    assert less.total <= estimate(tariff, fare, from_, from_ + span, zone, km + more).total


@given(tariffs, instants, spans, zones)
def test_no_price_day_costs_more_than_its_cap_and_every_started_minute_is_counted_once(
    tariff: Tariff, from_: datetime, span: timedelta, zone: ZoneInfo
) -> None:
    lines = [
        line
        for line in estimate(tariff, Fare.PRICED, from_, from_ + span, zone).lines
        if line.code in {"time", "day_cap"}
    ]
    assert sum(line.quantity for line in lines) == -(-span // timedelta(minutes=1))
    days = (from_ + span).astimezone(zone).date() - from_.astimezone(zone).date()
    assert len(lines) <= days.days + 1
    if tariff.day_cap is not None:
        assert all(line.amount.amount <= tariff.day_cap for line in lines)


@given(tariffs, fares, instants, spans, spans, spans, zones, kms)
def test_a_final_price_is_never_negative_adds_up_and_never_falls_with_the_meter(
    tariff: Tariff,
    fare: Fare,
    from_: datetime,
    span: timedelta,
    used: timedelta,
    more: timedelta,
    zone: ZoneInfo,
    km: int,
) -> None:
    to = from_ + span
    price = final(tariff, fare, from_, to, from_, from_ + used, zone, km)
    assert price.total.amount == sum(line.amount.amount for line in price.lines) >= 0
    assert price.total <= final(tariff, fare, from_, to, from_, from_ + used + more, zone, km).total
    assert price.total <= final(tariff, fare, from_, to, from_, from_ + used, zone, km + 7).total


@given(tariffs, fares, instants, spans, zones, kms)
def test_a_rental_as_booked_costs_what_was_quoted(
    tariff: Tariff, fare: Fare, from_: datetime, span: timedelta, zone: ZoneInfo, km: int
) -> None:
    to = from_ + span
    assert final(tariff, fare, from_, to, from_, to, zone, km) == estimate(tariff, fare, from_, to, zone, km)


@given(tariffs, fares, instants, spans, spans, spans, zones)
def test_cancelling_later_never_owes_less_nor_more_than_the_quote(
    tariff: Tariff,
    fare: Fare,
    from_: datetime,
    span: timedelta,
    early: timedelta,
    later: timedelta,
    zone: ZoneInfo,
) -> None:
    price = estimate(tariff, fare, from_, from_ + span, zone, 100)
    first = owed_on_cancellation(tariff, price, from_, from_ - early, "driver")
    then = owed_on_cancellation(tariff, price, from_, from_ - early + later, "driver")
    assert tariff.money(0) <= first <= then <= price.total


@given(tariffs, fares, instants, spans, zones, kms)
def test_a_frozen_quote_round_trips_through_json_exactly(
    tariff: Tariff, fare: Fare, from_: datetime, span: timedelta, zone: ZoneInfo, km: int
) -> None:
    price = estimate(tariff, fare, from_, from_ + span, zone, km)
    assert Price.from_dict(json.loads(json.dumps(price.to_dict()))) == price
    assert Tariff.from_dict(json.loads(json.dumps(tariff.to_dict()))) == tariff
    assert hold_amount(tariff, fare, price, from_, from_ + span) >= price.total


def test_a_frozen_price_that_was_tampered_with_is_refused() -> None:
    data = estimate(TARIFF, Fare.PRICED, START, START + HOUR, PARIS).to_dict()
    data["total"]["amount"] += 1
    with pytest.raises(ValueError, match="add up"):
        Price.from_dict(data)
