import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import Money
from payments.split import ShareTable, split_captured, split_refund

tables = st.tuples(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 2700)).map(
    lambda words: ShareTable(*words)
)


def test_a_captured_amount_goes_to_owner_insurer_platform_and_tax() -> None:
    shares = split_captured(Money(10001, "EUR"), ShareTable(insurer=1500, platform=1500, vat_rate=2000))
    assert [m.amount for m in (shares.owner, shares.insurer, shares.platform, shares.vat)] == [
        7001,
        1500,
        1250,
        250,
    ]


@given(st.integers(0, 10**9), tables)
def test_shares_add_up_exactly_and_none_is_negative(amount: int, table: ShareTable) -> None:
    shares = split_captured(Money(amount, "GBP"), table)
    assert shares.total.amount == amount
    assert min(shares.owner.amount, shares.insurer.amount, shares.platform.amount, shares.vat.amount) >= 0


@given(st.integers(1, 10**6), tables, st.lists(st.integers(1, 10**5), max_size=8))
def test_refunds_in_any_pieces_leave_no_share_negative_and_end_at_nothing(
    amount: int, table: ShareTable, pieces: list[int]
) -> None:
    left = split_captured(Money(amount, "EUR"), table)
    for piece in [*pieces, amount]:
        refund = Money(min(piece, left.total.amount), "EUR")
        back = split_refund(refund, left)
        assert back.total == refund
        left = left - back
        assert min(left.owner.amount, left.insurer.amount, left.platform.amount, left.vat.amount) >= 0
    assert not left.total


def test_a_refund_above_what_remains_is_refused() -> None:
    shares = split_captured(Money(100, "EUR"), ShareTable(0, 1000))
    with pytest.raises(ValueError, match="remain"):
        split_refund(Money(101, "EUR"), shares)


def test_a_table_that_gives_away_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match="more than all"):
        ShareTable(6000, 5000)


def test_a_share_table_round_trips_through_json() -> None:
    table = ShareTable(1200, 800, 2000)
    assert ShareTable.from_dict(table.to_dict()) == table
