"""The master policy as its JSON says it, and who may drive what under it."""

import copy
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insurance.eligibility import (
    CarFacts,
    DriverFacts,
    Unacknowledged,
    full_years,
    reasons_against,
    reasons_against_delegation,
    reasons_against_driver,
)
from insurance.master_policy import MasterPolicy, PolicyInvalid
from insurance.partners import PartnersInvalid, partners_of
from insurance.period import LateRule, PremiumRate, Span

JSON: dict[str, Any] = {
    "number": "FR-2026-1",
    "version": 3,
    "insurer": {"name": "Exemple Assurances", "address": "1 rue de la Paix, 75002 Paris"},
    "policyholder": "Glovebox SAS",
    "countries": ["FR", "BE"],
    "territory": ["FR", "BE", "DE"],
    "currency": "EUR",
    "valid_from": "2026-01-01T00:00:00+01:00",
    "valid_to": "2027-01-01T00:00:00+01:00",
    "min_driver_age": 21,
    "min_licence_years": 2,
    "licence_classes": ["B"],
    "clearance": "operator",
    "powertrains": ["electric", "petrol"],
    "max_declared_value": 5_000_000,
    "needs_immobiliser": True,
    "needs_valid_inspection": True,
    "liability_until": "lock",
    "late": {"rule": "reported", "hours": 24},
    "mode": "delegated",
    "max_open_unacknowledged": 50,
    "max_unacknowledged_age_hours": 72,
    "max_rental_days": 30,
    "premium": {"per": "hour", "amount": 150, "day_cap": 900, "minimum_minutes": 60, "basis": "covered"},
    "conditions": ["insurance-2026-01"],
}
POLICY = MasterPolicy.from_json(JSON)
START = datetime(2026, 7, 3, 12, tzinfo=UTC)
SPAN = Span(START, START + timedelta(hours=4))
MAX = DriverFacts(
    birth_date=date(2000, 1, 1),
    licence_classes=frozenset({"AM", "B"}),
    licence_issued_on=date(2020, 1, 1),
    licence_expires_on=date(2030, 1, 1),
    cleared_by="operator",
    accepted=frozenset({"insurance-2026-01"}),
)
ZOE = CarFacts(
    country="FR",
    time_zone="Europe/Paris",
    powertrain="electric",
    declared_value=2_000_000,
    has_immobiliser=True,
    inspection_until=date(2027, 1, 1),
)


def changed(path: str, value: Any) -> dict[str, Any]:
    policy = copy.deepcopy(JSON)
    *parents, name = path.strip("/").split("/")
    place = policy
    for parent in parents:
        place = place[parent]
    place[name] = value
    return policy


def test_a_policy_reads_as_it_is_written() -> None:
    assert POLICY.insurer == "Exemple Assurances"
    assert POLICY.valid_from == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert POLICY.late == LateRule("reported", 24)
    assert POLICY.premium == PremiumRate("EUR", "hour", 150, 900, None, 60, "covered")
    assert POLICY.countries == {"FR", "BE"}
    assert (POLICY.confirm_early_minutes, POLICY.confirm_late_minutes) == (15, 120)


@pytest.mark.parametrize("until", ["planned_end", "late_limit", None, True])
def test_a_policy_whose_liability_ends_before_the_lock_is_refused(until: object) -> None:
    with pytest.raises(PolicyInvalid, match="/liability_until"):
        MasterPolicy.from_json(changed("/liability_until", until))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/number", ""),
        ("/version", 0),
        ("/version", True),
        ("/insurer", "Exemple"),
        ("/insurer/name", None),
        ("/countries", []),
        ("/countries", ["fr"]),
        ("/countries", ["FR", "FR"]),
        ("/countries", "FR"),
        ("/territory", ["FR"]),
        ("/currency", "euro"),
        ("/valid_from", "2026-01-01"),
        ("/valid_from", "2026-01-01T00:00:00"),
        ("/valid_to", "2025-01-01T00:00:00Z"),
        ("/min_driver_age", "21"),
        ("/min_driver_age", 3),
        ("/clearance", "nobody"),
        ("/powertrains", ["steam"]),
        ("/max_declared_value", 1.5),
        ("/needs_immobiliser", "yes"),
        ("/late/rule", "never"),
        ("/late/hours", 0),
        ("/mode", "hope"),
        ("/max_open_unacknowledged", 0),
        ("/max_open_unacknowledged", -1),
        ("/max_unacknowledged_age_hours", 0),
        ("/max_sum_unacknowledged", 4_999_999),
        ("/max_sum_unacknowledged", -1),
        ("/max_rental_days", 0),
        ("/max_named_drivers", 10),
        ("/max_named_drivers", -1),
        ("/premium/per", "minute"),
        ("/premium/amount", -1),
        ("/premium/amount", 1.5),
        ("/premium/extra", 1),
        ("/conditions", [1]),
        ("/max_rental_day", 30),
    ],
)
def test_a_mistake_in_a_policy_is_named_where_it_stands(path: str, wrong: object) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        MasterPolicy.from_json(changed(path, wrong))
    assert path in dict(caught.value.errors)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(PolicyInvalid) as caught:
        MasterPolicy.from_json(changed("/version", 0) | {"mode": "hope", "late": {"rule": "never"}})
    assert {pointer for pointer, _ in caught.value.errors} == {"/version", "/mode", "/late/rule"}


PER_KM: dict[str, Any] = {"per": "km", "amount": 7, "untold_km_per_hour": 30}


def test_a_premium_may_be_by_the_kilometre() -> None:
    rate = MasterPolicy.from_json(changed("/premium", {**PER_KM, "cap": 5000})).premium
    assert rate == PremiumRate("EUR", "km", 7, cap=5000, minimum_km=1, untold_km_per_hour=30)


@pytest.mark.parametrize(
    ("premium", "at"),
    [
        ({"per": "km", "amount": 7}, "/premium/untold_km_per_hour"),
        ({**PER_KM, "untold_km_per_hour": 0}, "/premium/untold_km_per_hour"),
        ({**PER_KM, "minimum_km": 0}, "/premium/minimum_km"),
        ({**PER_KM, "minimum_minutes": 60}, "/premium/minimum_minutes"),
        ({**PER_KM, "basis": "charged"}, "/premium/basis"),
        ({**PER_KM, "amount": 0.07}, "/premium/amount"),
        ({**JSON["premium"], "untold_km_per_hour": 30}, "/premium/untold_km_per_hour"),
        ({**JSON["premium"], "minimum_km": 1}, "/premium/minimum_km"),
    ],
)
def test_a_premium_by_the_kilometre_says_what_counts_without_an_odometer_and_nothing_of_minutes(
    premium: dict[str, Any], at: str
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        MasterPolicy.from_json(changed("/premium", premium))
    assert [pointer for pointer, _ in caught.value.errors] == [at]


@pytest.mark.parametrize("name", [name for name in JSON if name != "liability_until"])
def test_a_missing_field_is_named_unless_it_is_optional(name: str) -> None:
    rest = {key: value for key, value in JSON.items() if key != name}
    if name in ("powertrains", "max_declared_value"):
        MasterPolicy.from_json(rest)
        return
    with pytest.raises(PolicyInvalid, match=f"/{name}: is missing"):
        MasterPolicy.from_json(rest)


@pytest.mark.parametrize("value", [None, [], "policy", 3])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(PolicyInvalid, match="object"):
        MasterPolicy.from_json(value)


def test_who_keeps_every_rule_is_eligible() -> None:
    assert reasons_against(POLICY, MAX, ZOE, SPAN) == []


BEFORE = Span(datetime(2025, 12, 31, 22, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def days(count: int) -> Span:
    return Span(START, START + timedelta(days=count))


@pytest.mark.parametrize(
    ("driver", "car", "span", "reasons"),
    [
        ({}, {}, BEFORE, ["policy_not_in_force"]),
        ({}, {"country": "DE"}, SPAN, ["country_not_covered"]),
        ({}, {}, days(30), []),
        ({}, {}, Span(START, START + timedelta(days=30, seconds=1)), ["rental_too_long"]),
        ({"blocked": True}, {}, SPAN, ["driver_blocked"]),
        ({"birth_date": None}, {}, SPAN, ["driver_age_unknown"]),
        ({"birth_date": date(2005, 7, 3)}, {}, SPAN, []),
        ({"birth_date": date(2005, 7, 4)}, {}, SPAN, ["driver_too_young"]),
        ({"cleared_by": None}, {}, SPAN, ["licence_not_cleared"]),
        ({"cleared_by": "owner"}, {}, SPAN, ["clearance_too_weak"]),
        ({"cleared_by": "provider"}, {}, SPAN, []),
        ({"licence_classes": frozenset({"A"})}, {}, SPAN, ["licence_class_missing"]),
        ({"licence_issued_on": date(2024, 7, 3)}, {}, SPAN, []),
        ({"licence_issued_on": date(2024, 7, 4)}, {}, SPAN, ["licence_too_recent"]),
        ({"licence_expires_on": date(2026, 7, 3)}, {}, SPAN, []),
        ({"licence_expires_on": date(2026, 7, 3)}, {}, days(1), ["licence_expires"]),
        ({"accepted": frozenset({"insurance-2025-01"})}, {}, SPAN, ["conditions_not_accepted"]),
        ({}, {"powertrain": "diesel"}, SPAN, ["powertrain_not_covered"]),
        ({}, {"declared_value": None}, SPAN, ["value_unknown"]),
        ({}, {"declared_value": 5_000_000}, SPAN, []),
        ({}, {"declared_value": 5_000_001}, SPAN, ["value_too_high"]),
        ({}, {"has_immobiliser": False}, SPAN, ["immobiliser_missing"]),
        ({}, {"inspection_until": None}, SPAN, ["inspection_expired"]),
        ({}, {"inspection_until": date(2026, 7, 2)}, SPAN, ["inspection_expired"]),
        ({"blocked": True}, {"has_immobiliser": False}, SPAN, ["driver_blocked", "immobiliser_missing"]),
    ],
)
def test_each_rule_refuses_at_its_limit_and_says_which(
    driver: dict[str, Any], car: dict[str, Any], span: Span, reasons: list[str]
) -> None:
    assert reasons_against(POLICY, replace(MAX, **driver), replace(ZOE, **car), span) == reasons


def test_a_birthday_begins_at_midnight_where_the_car_stands() -> None:
    born = replace(MAX, birth_date=date(2005, 7, 4))
    late_evening = datetime(2026, 7, 3, 22, 30, tzinfo=UTC)
    span = Span(late_evening, late_evening + timedelta(hours=1))
    assert reasons_against(POLICY, born, ZOE, span) == []
    in_the_azores = replace(ZOE, time_zone="Atlantic/Azores")
    assert reasons_against(POLICY, born, in_the_azores, span) == ["driver_too_young"]


def test_a_cover_that_begins_before_the_policy_ends_runs_off_under_it() -> None:
    new_year = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
    later = replace(ZOE, inspection_until=date(2028, 1, 1))
    assert reasons_against(POLICY, MAX, later, Span(new_year, new_year + timedelta(hours=9))) == []
    too_late = new_year + timedelta(seconds=1)
    assert reasons_against(POLICY, MAX, later, Span(too_late, too_late + timedelta(hours=9))) == [
        "policy_not_in_force"
    ]


def test_a_contract_that_does_not_speak_of_further_drivers_has_none() -> None:
    assert POLICY.max_named_drivers == 0
    assert MasterPolicy.from_json(changed("/max_named_drivers", 3)).max_named_drivers == 3


def test_an_insurer_that_confirms_first_is_asked_about_one_driver_alone() -> None:
    confirming = {**changed("/max_named_drivers", 1), "mode": "confirm_first"}
    with pytest.raises(PolicyInvalid) as caught:
        MasterPolicy.from_json(confirming)
    assert [path for path, _ in caught.value.errors] == ["/max_named_drivers"]


def test_a_further_driver_is_asked_what_rules_ask_of_drivers_and_nothing_of_the_car() -> None:
    young, worn = replace(MAX, birth_date=None), replace(ZOE, has_immobiliser=False)
    assert reasons_against_driver(POLICY, young, worn, SPAN) == ["driver_age_unknown"]
    assert reasons_against(POLICY, young, worn, SPAN) == ["driver_age_unknown", "immobiliser_missing"]


def test_an_open_span_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="planned span"):
        reasons_against(POLICY, MAX, ZOE, Span(START))


def test_a_policy_without_limits_on_the_car_asks_nothing_of_it() -> None:
    plain = replace(POLICY, max_declared_value=None, needs_immobiliser=False, needs_valid_inspection=False)
    car = replace(ZOE, declared_value=None, has_immobiliser=False, inspection_until=None)
    assert reasons_against(plain, MAX, car, SPAN) == []


@pytest.mark.parametrize(
    ("count", "age_hours", "reasons"),
    [
        (0, 0, []),
        (49, 72, []),
        (50, 1, ["too_many_unacknowledged"]),
        (1, 73, ["unacknowledged_too_old"]),
        (51, 73, ["too_many_unacknowledged", "unacknowledged_too_old"]),
        (0, 1000, []),
    ],
)
def test_delegated_authority_is_used_up_at_its_limits(count: int, age_hours: int, reasons: list[str]) -> None:
    waiting = Unacknowledged(count, timedelta(hours=age_hours))
    assert reasons_against_delegation(POLICY, waiting, 2_000_000) == reasons
    assert reasons_against_delegation(replace(POLICY, mode="confirm_first"), waiting, 2_000_000) == []


@pytest.mark.parametrize(
    ("waiting", "value", "reasons"),
    [
        (0, 5_000_000, []),
        (8_000_000, 2_000_000, []),
        (8_000_000, 2_000_001, ["unacknowledged_sum_too_high"]),
        (10_000_001, 0, ["unacknowledged_sum_too_high"]),
    ],
)
def test_the_sum_insured_of_what_waits_and_of_this_car_stays_within_the_limit(
    waiting: int, value: int, reasons: list[str]
) -> None:
    limited = MasterPolicy.from_json(changed("/max_sum_unacknowledged", 10_000_000))
    some = Unacknowledged(3, timedelta(hours=1), waiting)
    assert reasons_against_delegation(limited, some, value) == reasons
    assert reasons_against_delegation(replace(limited, mode="confirm_first"), some, value) == []
    assert reasons_against_delegation(POLICY, some, value) == [], "a policy that names no sum has no limit"


def test_a_car_whose_value_nobody_stated_is_not_let_past_a_limit_of_sums() -> None:
    unknown = replace(ZOE, declared_value=None)
    open_value = changed("/max_declared_value", None)
    limited = MasterPolicy.from_json({**open_value, "max_sum_unacknowledged": 10_000_000})
    assert reasons_against(limited, MAX, unknown, SPAN) == ["value_unknown"]
    assert reasons_against(MasterPolicy.from_json(open_value), MAX, unknown, SPAN) == []
    assert reasons_against(replace(limited, mode="confirm_first"), MAX, unknown, SPAN) == []


def test_one_born_on_29_february_has_a_birthday_on_1_march() -> None:
    assert full_years(date(2004, 2, 29), date(2025, 2, 28)) == 20
    assert full_years(date(2004, 2, 29), date(2025, 3, 1)) == 21


@given(
    st.builds(
        DriverFacts,
        birth_date=st.none() | st.dates(date(1930, 1, 1), date(2012, 1, 1)),
        licence_classes=st.frozensets(st.sampled_from(["A", "B", "C"])),
        licence_issued_on=st.dates(date(1990, 1, 1), date(2026, 1, 1)),
        licence_expires_on=st.dates(date(2025, 1, 1), date(2040, 1, 1)),
        cleared_by=st.sampled_from([None, "owner", "operator", "provider"]),
        accepted=st.frozensets(st.sampled_from(["insurance-2025-01", "insurance-2026-01"])),
        blocked=st.booleans(),
    ),
    st.integers(1, 40),
)
def test_mending_a_rule_never_breaks_another(driver: DriverFacts, length: int) -> None:
    before = set(reasons_against(POLICY, driver, ZOE, days(length)))
    for field in fields(DriverFacts):
        mended = replace(driver, **{field.name: getattr(MAX, field.name)})
        assert set(reasons_against(POLICY, mended, ZOE, days(length))) <= before


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ([{"countries": ["FR"], "token": "t"}], "/0/url"),
        ([{"countries": ["FR"], "url": "http://insurer.example", "token": "t"}], "/0/url"),
        ([{"countries": ["FR"], "url": "https://insurer.example"}], "/0/token"),
        (
            [{"countries": ["FR"], "url": "https://a.example", "token_url": "https://a.example/t"}],
            "/0/client_id",
        ),
        ([{"countries": ["France"], "url": "https://a.example", "token": "t"}], "/0/countries"),
        ([{"countries": ["FR"], "url": "https://a.example", "token": "t", "secrt": "x"}], "/0/secrt"),
        ([{"countries": ["FR"], "url": "https://a.example", "token": "t"}] * 2, "/1/countries"),
        ([{"countries": ["FR"], "url": "https://a.example", "token": "t", "insurer": "Ines"}], "/0/insurer"),
        (
            [{"countries": ["FR"], "url": "https://a.example", "token": "t", "insurer": "ins_" + "0" * 32}]
            * 2,
            "/1/countries",
        ),
        (["https://a.example"], "/0"),
    ],
)
def test_a_mistake_in_the_partners_settings_is_named(settings: Any, pointer: str) -> None:
    with pytest.raises(PartnersInvalid) as caught:
        partners_of(settings)
    assert pointer in dict(caught.value.errors)
