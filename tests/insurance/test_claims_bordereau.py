"""The lines of a claims bordereau: the standard's columns, the month's payments, its words for how a claim stands."""

from datetime import date
from typing import Any

import pytest

from insurance.claims_bordereau import COLUMNS, STANDARD, ClaimLine, row
from tests.insurance.test_bordereau import POLICY, cover


def line(told: int = 0, **changes: Any) -> ClaimLine:
    claim = {
        "id": "clm_1",
        "cover": "cov_1",
        "reference": "S-1",
        "occurred_at": "2026-03-31T21:45:00.000Z",
        "text": "=A dent",
        "status": "open",
        "denied": False,
        "currency": "EUR",
        "reserve": {"indemnity": 50_000, "fees": 1_000},
        "paid": {"indemnity": 20_000, "fees": 0},
        "incurred": {"indemnity": 70_000, "fees": 1_000},
        "version": 2,
        "notified_at": "2026-03-31T22:30:00.000Z",
        "changed_at": "2026-04-02T08:00:00.000Z",
        "over_at": None,
    } | changes
    paid = {"indemnity": told, "fees": 0}
    return ClaimLine(claim, cover(), POLICY, 78, "Europe/Paris", "Glovebox SAS", date(2026, 4, 30), paid)


def test_the_standard_has_32_columns_and_no_heading_comes_twice() -> None:
    assert len(STANDARD) == 32
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_what_is_paid_in_the_month_is_the_difference_to_what_was_shown_before() -> None:
    found = row(line(told=15_000))
    assert (found["Paid This Month - Indemnity"], found["Previously Paid - Indemnity"]) == ("50.00", "150.00")
    assert (found["Reserve - Indemnity"], found["Total Incurred - Indemnity"]) == ("500.00", "700.00")


def test_days_are_on_the_clocks_of_the_cars_place() -> None:
    found = row(line())
    assert (found["Date of Loss (From)"], found["Date Claim First Advised"]) == ("2026-03-31", "2026-04-01")


@pytest.mark.parametrize(
    ("status", "over_at", "said"),
    [
        ("open", None, "Open"),
        ("claim_paid", None, "Open - Claim paid fees outstanding"),
        ("closed", "2026-04-30T21:59:59.999Z", "Closed this month"),
        ("closed", "2026-03-31T21:59:59.999Z", "Closed"),
        ("withdrawn", "2026-04-10T00:00:00.000Z", "Withdrawn"),
    ],
)
def test_a_claim_is_said_to_stand_in_the_words_of_the_standard(
    status: str, over_at: str | None, said: str
) -> None:
    assert row(line(status=status, over_at=over_at))["Claim Status"] == said
