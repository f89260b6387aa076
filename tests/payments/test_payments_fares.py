"""Energy, shares by country and the stop at a car's cost, over whatever amounts and sequences there may be."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments import cost_stop, share_tables
from payments.energy import foreseen_wh, taken_wh
from payments.money import CURRENCY_OF, Money
from payments.pricing import estimate, final, hold_amount, owed_on_cancellation
from payments.split import ShareTable, split_captured, split_refund
from payments.tariff import Fare, Price, Tariff

START = datetime(2027, 6, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
AT_COST = Tariff(currency="EUR", per_km=30, per_kwh=40)
countries = st.sampled_from(sorted(share_tables.SHARES))
amounts = st.integers(0, 10**7)
percents = st.floats(0, 100, allow_nan=False).map(lambda one: round(one, 1))


def at_cost(km: int, limit: int | None, wh: int | None = None) -> Price:
    return final(
        AT_COST, Fare.AT_COST, START, START + HOUR, START, START + HOUR, PARIS, km, energy_wh=wh, limit=limit
    )


def codes(price: Price) -> dict[str, int]:
    return {line.code: line.amount.amount for line in price.lines}


def test_every_country_we_serve_has_its_standard_rate() -> None:
    assert share_tables.VAT_RATES.keys() == share_tables.SHARES.keys() == CURRENCY_OF.keys()
    assert share_tables.of("CH").vat_rate == 810
    assert share_tables.of("IT").vat_rate == 2200


@pytest.mark.parametrize(
    ("country", "vat"),
    [("FR", 250), ("DE", 239), ("IT", 270), ("ES", 260), ("PT", 280), ("CH", 112), ("GB", 250), ("AT", 250)],
)
def test_the_tax_is_taken_out_of_the_platforms_part_at_the_rate_of_the_cars_country(
    country: str, vat: int
) -> None:
    shares = split_captured(Money(10_000, CURRENCY_OF[country]), share_tables.of(country))
    assert (shares.owner.amount, shares.insurer.amount) == (7500, 1000)
    assert (shares.platform.amount, shares.vat.amount) == (1500 - vat, vat)


@given(countries, amounts, amounts)
def test_shares_sum_to_what_was_paid_and_energy_is_the_owners_whole(
    country: str, amount: int, energy: int
) -> None:
    currency = CURRENCY_OF[country]
    shares = split_captured(Money(amount, currency), share_tables.of(country), Money(energy, currency))
    assert shares.total.amount == amount
    assert min(one.amount for one in (shares.owner, shares.insurer, shares.platform, shares.vat)) >= 0
    assert shares.owner.amount >= min(energy, amount)
    rest = split_captured(Money(max(0, amount - energy), currency), share_tables.of(country))
    assert (shares.insurer, shares.platform, shares.vat) == (rest.insurer, rest.platform, rest.vat)


@given(countries, st.integers(0, 10**6), st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=8))
def test_any_sequence_of_partial_refunds_loses_no_cent(
    country: str, amount: int, energy: int, refunds: list[int]
) -> None:
    currency = CURRENCY_OF[country]
    left = split_captured(Money(amount, currency), share_tables.of(country), Money(energy, currency))
    for wanted in [*refunds, amount]:
        back = Money(min(wanted, left.total.amount), currency)
        given_back = split_refund(back, left)
        assert given_back.total == back
        left = left - given_back
        assert min(one.amount for one in (left.owner, left.insurer, left.platform, left.vat)) >= 0
    assert left.total.amount == 0


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=5), countries)
def test_a_price_taken_in_parts_loses_no_cent(energy: int, captures: list[int], country: str) -> None:
    currency, whole = CURRENCY_OF[country], 0
    for part in captures:
        mine = min(energy, part)
        whole += split_captured(
            Money(part, currency), share_tables.of(country), Money(mine, currency)
        ).total.amount
        energy -= mine
    assert whole == sum(captures)


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 10_000))
def test_a_table_survives_being_frozen(insurer: int, platform: int, rate: int) -> None:
    table = ShareTable(insurer, platform, rate)
    assert ShareTable.from_dict(table.to_dict()) == table


def test_energy_is_the_fall_of_the_charge_in_watt_hours_half_up() -> None:
    assert taken_wh(80, 35, 17.6) == 7920
    assert taken_wh(80.0, 79.9, 17.25) == 17
    assert foreseen_wh(30, 0.8, 17.6) == 4224
    price = at_cost(10, None, 7920)
    assert codes(price) == {"km": 300, "energy": 317}
    assert (price.energy.amount, price.rent.amount) == (317, 300)


@pytest.mark.parametrize("reading", [(None, 30, 17.6), (80, None, 17.6), (80, 30, None), (80, 30, 0)])
def test_without_a_reading_nobody_knows_the_energy(
    reading: tuple[float | None, float | None, float | None],
) -> None:
    assert taken_wh(*reading) is None
    assert "energy" not in codes(at_cost(10, None, taken_wh(*reading)))


@given(percents, percents, st.floats(1, 120).map(lambda one: round(one, 1)))
def test_energy_is_never_negative_and_never_more_than_the_battery_holds(
    before: float, after: float, capacity: float
) -> None:
    wh = taken_wh(before, after, capacity)
    assert wh is not None
    assert 0 <= wh <= capacity * 1000 + 1
    assert wh == 0 or after < before
    assert at_cost(0, None, wh) == at_cost(0, None, wh)


def test_energy_comes_beside_minimum_and_cap_and_is_not_owed_by_who_cancels() -> None:
    tariff = Tariff(currency="EUR", hour=600, day_cap=1000, minimum=5000, per_kwh=40)
    price = estimate(tariff, Fare.PRICED, START, START + 5 * HOUR, PARIS, 50, energy_wh=10_000)
    assert codes(price) == {"day_cap": 1000, "minimum": 4000, "energy": 400}
    assert owed_on_cancellation(tariff, price, START, START, "driver").amount == 0
    assert codes(estimate(tariff, Fare.FREE, START, START + HOUR, PARIS, 50, energy_wh=10_000)) == {}


def test_a_hold_leaves_room_for_the_energy_and_at_cost_for_no_more_than_the_bound() -> None:
    empty = at_cost(0, None)
    span = (START, START + HOUR)
    assert hold_amount(AT_COST, Fare.AT_COST, empty, *span).amount == 50 * 30 + 400
    assert hold_amount(AT_COST, Fare.AT_COST, empty, *span, limit=700).amount == 700 + 400
    assert hold_amount(AT_COST, Fare.AT_COST, empty, *span, limit=0).amount == 400
    unmetered = Tariff(currency="EUR", per_km=30)
    assert hold_amount(unmetered, Fare.AT_COST, empty, *span, limit=0).amount == 0


def test_a_hold_is_never_below_what_a_card_can_be_asked_for() -> None:
    tariff = Tariff(currency="GBP", per_kwh=1)
    price = estimate(tariff, Fare.AT_COST, START, START + HOUR, PARIS)
    assert hold_amount(tariff, Fare.AT_COST, price, START, START + HOUR).amount == 30
    assert hold_amount(tariff, Fare.AT_COST, price, START, START + 5 * 24 * HOUR).amount == 50


def test_beyond_the_bound_only_energy_is_paid() -> None:
    assert codes(at_cost(100, 1000, 1000)) == {"km": 3000, "cost_covered": -2000, "energy": 40}
    assert at_cost(100, 0).total.amount == 0
    assert codes(at_cost(10, 300)) == {"km": 300}


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 50_000), st.integers(0, 60_000))
def test_at_cost_never_falls_with_the_distance_and_never_passes_its_bound(
    km: int, more: int, limit: int, wh: int
) -> None:
    price = at_cost(km, limit, wh)
    assert 0 <= price.rent.amount <= limit
    assert price.total <= at_cost(km + more, limit, wh).total
    assert Price.from_dict(price.to_dict()) == price
    assert price == estimate(AT_COST, Fare.AT_COST, START, START + HOUR, PARIS, km, energy_wh=wh, limit=limit)


@given(
    st.integers(0, 30_000) | st.none(),
    st.lists(
        st.tuples(st.sampled_from(["book", "end", "cancel", "raise"]), st.integers(0, 700)), max_size=30
    ),
)
def test_earnings_never_exceed_the_stated_cost_whatever_the_sequence(
    stated: int | None, steps: list[tuple[str, int]]
) -> None:
    """Booked with a stated distance, ended with any other, in the order they were booked."""
    earned, open_quotes, history = 0, list[tuple[int, int]](), [0]
    for step, km in steps:
        if step == "book":
            left = cost_stop.quoted(stated, earned, sum(promised for _, promised in open_quotes))
            open_quotes.append((left, at_cost(km, left).rent.amount))
        elif step == "raise" and stated is not None:
            stated += km
        elif open_quotes:
            frozen, promised = open_quotes.pop(0)
            bound = cost_stop.settled(frozen, stated, earned)
            came_to = at_cost(km, bound, km * 100).rent.amount if step == "end" else 0
            assert came_to <= frozen
            assert promised <= frozen
            earned += came_to
            history.append(earned)
        assert earned <= (stated or 0)
    assert all(before <= after for before, after in pairwise(history))
