"""The lines of a bordereau: what belongs in it, under which headings, and on whose clocks."""

from datetime import date
from typing import Any

import pytest

from insurance import bordereau
from insurance.bordereau import Line, Reported

POLICY = {
    "number": "FR-1",
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": "2027-01-01T00:00:00Z",
    "policyholder": "Glovebox SAS",
    "currency": "EUR",
}


def cover(**changes: Any) -> dict[str, Any]:
    return {
        "id": "cov_1",
        "certificate": "crt_1",
        "version": 3,
        "state": "closed",
        "from": "2026-03-31T21:30:00.000Z",
        "to": "2026-03-31T22:30:00.000Z",
        "own_damage": {"from": "2026-03-31T21:30:00.000Z", "to": "2026-03-31T22:30:00.000Z"},
        "car": {"plate": "AB-123-CD", "country": "FR", "vin": "VF1", "make": "Renault", "model": "Zoe"},
        "master_policy": {"id": "pol_1", "number": "FR-1", "version": 2},
        "driver_ref": "drv_1",
        "odometer_start_km": 100,
        "odometer_end_km": 120,
        "covered_minutes": 60,
        "charged_minutes": 60,
        "premium": {"amount": 250, "currency": "EUR"},
        "end_evidence": "box",
        "recorded_at": "2026-03-31T22:30:01.000Z",
    } | changes


def line(before: Reported | None = None, *, zone: str = "Europe/Paris", **changes: Any) -> Line:
    return Line(cover(**changes), POLICY, 1_500_000, 77, zone, "Glovebox SAS", date(2026, 3, 31), before)


@pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [
        ("Europe/Paris", "2026-03-31", "2026-04-01"),
        ("Europe/London", "2026-03-31", "2026-03-31"),
        ("Europe/Lisbon", "2026-03-31", "2026-03-31"),
        ("Atlantic/Azores", "2026-03-31", "2026-03-31"),
        ("Atlantic/Canary", "2026-03-31", "2026-03-31"),
    ],
)
def test_dates_are_on_the_clocks_of_the_place_of_the_risk(zone: str, begins: str, ends: str) -> None:
    found = bordereau.row(line(zone=zone), "risk")
    assert (found["Risk Inception Date"], found["Risk Expiry Date"]) == (begins, ends)


def test_what_was_not_reported_is_new_business_with_its_whole_premium() -> None:
    found = bordereau.row(line(), "premium")
    assert (found["Risk, Transaction Type"], found["Total Gross Written Premium"]) == ("NB", "2.50")


def test_what_changed_after_it_was_reported_is_an_adjustment_by_the_difference() -> None:
    found = bordereau.row(line(Reported(2, 400)), "premium")
    assert (found["Risk, Transaction Type"], found["Total Gross Written Premium"]) == ("MTA", "-1.50")


def test_what_turned_out_to_be_no_cover_is_cancelled_and_its_premium_taken_back() -> None:
    found = bordereau.row(line(Reported(2, 400), state="void", premium=None), "premium")
    assert (found["Risk, Transaction Type"], found["Total Gross Written Premium"]) == ("CAN", "-4.00")


def test_a_cover_that_was_never_one_is_no_line() -> None:
    assert not line(state="void", premium=None).belongs("risk")
    assert not line(Reported(2, None, voided=True), state="void", premium=None).belongs("risk")


def test_while_the_car_is_out_there_is_a_risk_and_no_premium_yet() -> None:
    out = line(state="active", to=None, premium=None)
    assert out.belongs("risk")
    assert not out.belongs("premium")
    assert bordereau.row(out, "risk")["Risk Expiry Date"] is None


def test_a_risk_says_how_many_were_named_and_a_premium_does_not() -> None:
    span = {"from": "2026-03-31T21:30:00.000Z", "to": "2026-03-31T22:00:00.000Z"}
    twice = [
        {"driver_ref": "drv_2", **span},
        {"driver_ref": "drv_2", **span},
        {"driver_ref": "drv_3", **span},
    ]
    assert bordereau.columns("risk")[-1] == "named_drivers"
    assert bordereau.row(line(named_drivers=twice), "risk")["named_drivers"] == 2
    assert bordereau.row(line(), "risk")["named_drivers"] == 0, "a version of before names nobody"
    assert "named_drivers" not in bordereau.row(line(named_drivers=twice), "premium")


def test_a_premium_by_the_kilometre_says_how_many_and_how_they_were_counted() -> None:
    assert bordereau.columns("premium")[-2:] == ("charged_km", "km_from")
    found = bordereau.row(line(charged_km=20, km_from="odometer"), "premium")
    assert (found["charged_km"], found["km_from"]) == (20, "odometer")
    before = bordereau.row(line(), "premium")
    assert (before["charged_km"], before["km_from"]) == (None, None), "a version of before counts none"
    assert "charged_km" not in bordereau.row(line(), "risk")


def test_what_costs_the_same_as_reported_is_no_premium() -> None:
    assert not line(Reported(2, 250)).belongs("premium")


def test_a_cover_that_costs_nothing_is_reported_once() -> None:
    free = {"amount": 0, "currency": "EUR"}
    assert line(Reported(2, None), premium=free).belongs("premium")
    assert not line(Reported(2, 0), premium=free).belongs("premium")
