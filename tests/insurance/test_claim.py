"""The life of a claim: what may become of what."""

import pytest

from insurance.claim import BEGUN, OVER, REOPENED, STATUSES, incurred, may_become


@pytest.mark.parametrize("now", STATUSES)
def test_what_is_over_goes_on_only_by_being_reopened(now: str) -> None:
    open_ones = set(STATUSES) - OVER
    followed = {then for then in open_ones - {now} if may_become(now, then)}
    assert followed == ({REOPENED} if now in OVER else open_ones - {now, BEGUN, REOPENED})


@pytest.mark.parametrize("now", sorted(set(STATUSES) - OVER))
def test_whatever_is_open_may_end_in_any_way(now: str) -> None:
    assert all(may_become(now, then) for then in OVER)


def test_what_was_withdrawn_is_reopened_before_it_is_closed() -> None:
    assert not may_become("withdrawn", "closed")
    assert not may_become("closed", "withdrawn")
    assert may_become("closed", "recovery_pursued")


def test_incurred_is_what_is_paid_and_in_reserve() -> None:
    amounts = {"reserve_indemnity": 100, "reserve_fees": 10, "paid_indemnity": 40, "paid_fees": 0}
    assert (incurred(amounts, "indemnity"), incurred(amounts, "fees")) == (140, 10)
