import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.double.intents import LEAST as ASKED_THERE
from payments.money import CURRENCY_OF, LEAST, CurrencyMismatchError, Money

amounts = st.integers(-(10**12), 10**12)


def test_an_odd_cent_goes_to_the_largest_remainder() -> None:
    parts = Money(10001, "EUR").split((70, 15, 15))
    assert [part.amount for part in parts] == [7001, 1500, 1500]


@given(amounts, st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any))
def test_parts_of_a_split_add_up_exactly_and_stay_within_one_of_their_share(
    amount: int, weights: list[int]
) -> None:
    parts = Money(amount, "CHF").split(weights)
    assert sum(part.amount for part in parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount * sum(weights) - amount * weight) < sum(weights)


@given(amounts, amounts)
def test_adding_and_taking_away_are_exact(left: int, right: int) -> None:
    a, b = Money(left, "GBP"), Money(right, "GBP")
    assert a + b - b == a
    assert a + -a == Money.zero("GBP")
    assert (a < b) == (left < right)
    assert (a >= b) == (left >= right)


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatchError):
        Money(1, "EUR") + Money(1, "CHF")
    with pytest.raises(CurrencyMismatchError):
        _ = Money(1, "EUR") < Money(1, "GBP")
    assert Money(1, "EUR") != Money(1, "GBP")


@pytest.mark.parametrize("amount", [1.5, True, "10", None])
def test_only_whole_minor_units_are_money(amount: object) -> None:
    with pytest.raises(TypeError):
        Money(amount, "EUR")  # type: ignore[arg-type]


def test_money_times_a_float_is_refused() -> None:
    with pytest.raises(TypeError):
        Money(100, "EUR") * 1.5  # type: ignore[operator]


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="USD"):
        Money(1, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize(("amount", "percent", "expected"), [(101, 50, 51), (99, 50, 50), (-101, 50, -51)])
def test_a_half_minor_unit_rounds_away_from_zero(amount: int, percent: int, expected: int) -> None:
    assert Money(amount, "EUR").percent(percent) == Money(expected, "EUR")


def test_weights_that_share_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        Money(1, "EUR").split((0, 0))


def test_each_of_the_ten_countries_has_its_currency() -> None:
    assert len(CURRENCY_OF) == 10
    assert {c for c, currency in CURRENCY_OF.items() if currency != "EUR"} == {"GB", "CH"}


def test_money_round_trips_through_json() -> None:
    assert Money.from_dict(Money(5, "CHF").to_dict()) == Money(5, "CHF")


def test_the_least_that_is_asked_is_the_least_that_the_double_takes() -> None:
    assert {currency.lower(): least for currency, least in LEAST.items()} == {
        currency: least for currency, (least, _) in ASKED_THERE.items()
    }


@pytest.mark.parametrize(("amount", "held"), [(0, 0), (1, 30), (29, 30), (30, 30), (31, 31), (-1, -1)])
def test_what_is_held_for_something_is_at_least_what_a_card_can_be_asked_for(amount: int, held: int) -> None:
    money = Money(amount, "GBP")
    assert money.to_hold() == Money(held, "GBP")
    assert money.is_too_little is (money.to_hold() != money)
