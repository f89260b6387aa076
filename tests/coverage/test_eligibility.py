from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.coverage import ahead, blocks, cover, report
from app.coverage.trip import Trip
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotInsurable
from app.people.models import Clearance, Licence, Person
from tests.coverage import factories
from tests.coverage.factories import bind, doing

TODAY = date(2026, 11, 22)


def reasons(trip: Trip) -> list[str]:
    return cover.reasons_against(trip)


def refused(trip: Trip) -> list[str]:
    try:
        bind(trip, trip.from_at)
    except NotInsurable as problem:
        found: list[str] = problem.members["reasons"]
        return found
    return []


@pytest.fixture(scope="module")
def shared() -> dict[str, Any]:
    return {}


def one_circle(shared: dict[str, Any]) -> factories.Circle:
    """One cast for all examples, under limits that the examples cross."""
    if not shared:
        shared["circle"] = factories.circle(max_declared_value=2_000_000, needs_immobiliser=False)
    found: factories.Circle = shared["circle"]
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    age=st.integers(17, 25),
    held_years=st.integers(0, 4),
    classes=st.sampled_from([["B"], ["AM"], ["A", "B"]]),
    cleared=st.booleans(),
    value=st.sampled_from([None, 1_000_000, 2_000_000, 2_000_001]),
    inspected=st.sampled_from([None, -1, 0, 400]),
    hours=st.sampled_from([1, 24, 24 * 30, 24 * 31]),
)
def test_what_is_eligible_is_bound_and_what_is_not_is_refused_for_the_same_reasons(
    app: Flask, shared: dict[str, Any], **facts: Any
) -> None:
    circle = one_circle(shared)
    trip = circle.trip(hours=facts["hours"], from_at=clock.now())
    trip = circle.trip(from_at=trip.from_at, to_at=trip.from_at + timedelta(hours=facts["hours"]))
    set_facts(circle, trip, facts)
    said = reasons(trip)
    assert refused(trip) == said
    if not said:
        doing(cover.close, trip.rental, trip.from_at, evidence="test")


def set_facts(circle: factories.Circle, trip: Trip, facts: dict[str, Any]) -> None:
    today = trip.from_at.date()
    driver = session.get(Person, circle.max.id)
    licence = session.get(Licence, circle.max.id)
    assert driver is not None
    assert licence is not None
    driver.birth_date = licence.birth_date = today - timedelta(days=366 * facts["age"])
    licence.issued_on = today - timedelta(days=366 * facts["held_years"])
    licence.classes = facts["classes"]
    for row in session.query(Clearance).filter(Clearance.person_id == driver.id):
        row.withdrawn_at = None if facts["cleared"] else clock.now()
    car = session.merge(circle.car)
    value, inspected = facts["value"], facts["inspected"]
    car.declared_value = None if value is None else {"amount": value, "currency": "EUR"}
    car.inspection_until = None if inspected is None else today + timedelta(days=inspected)
    session.commit()
    trip.car.declared_value, trip.car.inspection_until = car.declared_value, car.inspection_until


def test_a_booking_may_wait_for_a_licence_and_its_clearance_but_an_unlock_may_not(app: Flask) -> None:
    trip = factories.circle(licensed=False, accepted=False).trip()
    assert cover.reasons_against(trip, ignore_clearance=True) == []
    assert reasons(trip) == ["licence_not_cleared", "conditions_not_accepted"]
    assert refused(trip) == reasons(trip)


def test_a_clearance_by_an_owner_is_too_weak_where_an_operator_must_look(app: Flask) -> None:
    trip = factories.circle(clearance="operator").trip()
    assert reasons(trip) == ["clearance_too_weak"]
    assert cover.reasons_against(trip, ignore_clearance=True) == []


def test_starting_early_does_not_make_the_longest_rental_too_long(app: Flask) -> None:
    circle = factories.circle()
    begin = clock.now() + timedelta(minutes=15)
    trip = circle.trip(from_at=begin, to_at=begin + timedelta(days=30))
    assert reasons(trip) == []
    assert bind(trip).from_at < begin


def test_the_written_authority_ends_where_the_policy_says(app: Flask) -> None:
    circle = factories.circle(max_open_unacknowledged=1)
    first = factories.ended(circle)
    trip = circle.trip()
    assert reasons(trip) == ["too_many_unacknowledged"]
    assert refused(trip) == ["too_many_unacknowledged"]
    assert cover.reasons_against(trip, ignore_clearance=True) == []
    report.acknowledge(first.id)
    assert reasons(trip) == []
    assert bind(trip).state == "bound"


def test_an_old_unacknowledged_cover_stops_further_ones(app: Flask) -> None:
    circle = factories.circle(max_unacknowledged_age_hours=2)
    factories.ended(circle)
    assert reasons(circle.trip()) == []
    clock.forward(timedelta(hours=1))
    assert reasons(circle.trip()) == ["unacknowledged_too_old"]


def test_cars_worth_more_together_than_the_policy_allows_wait_until_the_insurer_takes_note(
    app: Flask,
) -> None:
    circle = factories.circle(max_declared_value=1_500_000, max_sum_unacknowledged=2_000_000)
    first = factories.ended(circle)
    trip = circle.trip()
    assert reasons(trip) == ["unacknowledged_sum_too_high"]
    assert refused(trip) == ["unacknowledged_sum_too_high"]
    assert cover.reasons_against(trip, ignore_clearance=True) == []
    report.acknowledge(first.id)
    assert refused(trip) == []


def test_what_a_rental_was_given_on_condition_is_not_counted_beside_its_own_cover(app: Flask) -> None:
    circle = factories.circle(
        max_open_unacknowledged=1, max_declared_value=1_500_000, max_sum_unacknowledged=1_500_000
    )
    trip = circle.trip()
    doing(ahead.bind, trip, trip.from_at, trip.to_at)
    assert reasons(circle.trip()) == ["too_many_unacknowledged", "unacknowledged_sum_too_high"]
    assert bind(trip).state == "bound"


def test_a_driver_the_insurer_refused_is_insured_again_once_the_block_is_lifted(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    doing(blocks.block, circle.policy.insurer_id, circle.max.id, ended.id, "sanctions")
    assert refused(circle.trip()) == ["driver_blocked"]
    assert [row.reason for row in blocks.of(circle.max.id)] == ["sanctions"]
    blocks.lift(circle.policy.insurer_id, circle.max.id)
    assert reasons(circle.trip()) == []
