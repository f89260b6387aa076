from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cars import add
from app.coverage import ahead, cover, partners
from app.coverage.models import Cover, CoverVersion
from app.kit import clock
from app.kit.db import constraint, new_id, session, transactional
from app.kit.errors import NotFound, NotInsurable
from app.kit.facts import FactRow
from insurance.verify_log import digest
from tests.coverage import factories
from tests.coverage.factories import bind, doing


def versions(one: Cover) -> list[CoverVersion]:
    statement = select(CoverVersion).where(CoverVersion.cover_id == one.id).order_by(CoverVersion.version)
    return list(session.scalars(statement))


def kinds(one: Cover) -> list[str]:
    return [row.kind for row in versions(one)]


def test_a_cover_is_bound_activated_and_closed_and_every_change_stays(app: Flask) -> None:
    trip = factories.circle().trip()
    bound = bind(trip)
    begin = bound.from_at
    doing(cover.activate, trip.rental, begin + timedelta(seconds=4), odometer_km=1200)
    doing(
        cover.close,
        trip.rental,
        begin + timedelta(minutes=61),
        evidence="box",
        charged_until=begin + timedelta(minutes=50),
        odometer_km=1250,
    )
    rows = versions(bound)
    assert [row.kind for row in rows] == ["cover.bound", "cover.activated", "cover.closed"]
    assert [row.state for row in rows] == ["bound", "active", "closed"]
    assert [row.to_at for row in rows] == [None, None, begin + timedelta(minutes=61)]
    last = rows[-1].data
    assert (last["covered_minutes"], last["charged_minutes"]) == (61, 50)
    assert last["premium"] == {"amount": 300, "currency": "EUR"}
    assert (last["odometer_start_km"], last["odometer_end_km"]) == (1200, 1250)


def test_each_version_carries_the_fact_that_was_recorded_with_it(app: Flask) -> None:
    trip = factories.circle().trip()
    bound = bind(trip)
    doing(cover.activate, trip.rental, bound.from_at)
    for row, name in zip(versions(bound), ("CoverBound", "CoverActivated"), strict=True):
        fact = session.get(FactRow, row.fact_seq)
        assert fact is not None
        assert fact.kind == name
        assert fact.data == {
            "cover": bound.id,
            "rental": trip.rental,
            "version": row.version,
            "digest": digest(row.data),
        }


def test_a_failed_unlock_leaves_neither_cover_nor_fact(app: Flask) -> None:
    circle = factories.circle()
    trip = circle.trip()

    @transactional
    def unlock() -> None:
        cover.bind(trip, clock.now())
        raise RuntimeError("readiness changed its mind")

    with pytest.raises(RuntimeError):
        unlock()
    assert cover.of(trip.rental) is None
    statement = text("select count(*) from facts where data ->> 'rental' = :rental")
    assert session.execute(statement, {"rental": trip.rental}).scalar_one() == 0


def test_a_second_unlock_of_the_same_rental_keeps_the_same_cover(app: Flask) -> None:
    trip = factories.circle().trip()
    first = bind(trip)
    again = bind(trip)
    assert (again.id, again.version) == (first.id, 1)


def test_no_second_cover_is_bound_while_one_is_open(app: Flask) -> None:
    circle = factories.circle()
    bind(circle.trip())
    with pytest.raises(NotInsurable) as refused:
        bind(circle.trip())
    assert refused.value.members["reasons"] == ["cover_open"]


def test_the_database_itself_keeps_covers_of_a_car_apart(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    assert ended.to_at is not None
    with pytest.raises(IntegrityError) as refused:
        bind(circle.trip(), ended.to_at - timedelta(milliseconds=1))
    assert constraint(refused.value) == "covers_never_two_at_once"
    assert bind(circle.trip(), ended.to_at).from_at == ended.to_at


def test_a_void_cover_covers_no_minute_costs_nothing_and_stays_visible(app: Flask) -> None:
    circle = factories.circle()
    trip = circle.trip()
    bound = bind(trip)
    doing(cover.void, trip.rental, bound.from_at + timedelta(seconds=9), "box answered: nothing opened")
    doing(cover.void, trip.rental, bound.from_at + timedelta(seconds=9), "again")
    found = cover.of(trip.rental)
    assert found is not None
    assert (found.state, found.to_at, found.premium) == ("void", found.from_at, 0)
    assert kinds(bound) == ["cover.bound", "cover.voided"]
    second = bind(trip)
    assert second.id != bound.id
    assert cover.of(trip.rental) is not None
    assert cover.of(trip.rental).id == second.id  # type: ignore[union-attr]


def test_a_cover_on_condition_that_is_taken_up_is_of_the_car_and_the_policy_of_now(app: Flask) -> None:
    circle = factories.circle()
    trip = circle.trip()
    doing(ahead.bind, trip, trip.from_at, trip.to_at)
    worth = {"amount": 1_234_500, "currency": "EUR"}
    corrected = {"plate": f"NEW-{circle.car.no}", "declared_value": worth, "time_zone": "Europe/Brussels"}
    add.change(circle.olga.id, circle.car.id, corrected, lambda _: None)
    later = factories.policy(partners.find_insurer(circle.policy.insurer_id))
    bound = bind(trip)
    assert (bound.version, bound.policy_id, bound.car["plate"]) == (2, later.id, corrected["plate"])
    assert (bound.declared_value, bound.time_zone) == (worth["amount"], "Europe/Brussels")


def test_an_active_cover_is_never_voided(app: Flask) -> None:
    trip = factories.circle().trip()
    bound = bind(trip)
    doing(cover.activate, trip.rental, bound.from_at)
    with pytest.raises(RuntimeError, match="can only be closed"):
        doing(cover.void, trip.rental, bound.from_at, "nothing opened")


def test_activating_and_closing_twice_changes_nothing(app: Flask) -> None:
    trip = factories.circle().trip()
    bound = bind(trip)
    end = bound.from_at + timedelta(hours=1)
    for _ in range(2):
        doing(cover.activate, trip.rental, bound.from_at)
    for _ in range(2):
        closed = doing(cover.close, trip.rental, end, evidence="box")
    doing(cover.activate, trip.rental, end)
    assert (closed.state, closed.to_at) == ("closed", end)
    assert kinds(bound) == ["cover.bound", "cover.activated", "cover.closed"]


def test_a_rental_without_cover_cannot_be_closed(app: Flask) -> None:
    with pytest.raises(NotFound):
        doing(cover.close, new_id("ren"), clock.now(), evidence="box")


def test_a_car_unlocked_before_it_closes_is_closed_where_it_began_at_the_earliest(app: Flask) -> None:
    trip = factories.circle().trip()
    bound = bind(trip)
    closed = doing(cover.close, trip.rental, bound.from_at - timedelta(seconds=1), evidence="box")
    assert (closed.to_at, closed.covered_minutes, closed.premium) == (bound.from_at, 0, 0)


def test_a_later_record_of_the_box_corrects_the_end(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=60)
    later = ended.from_at + timedelta(minutes=62)
    for _ in range(2):
        corrected = doing(cover.correct, ended.rental_id, later, evidence="box record")
    assert (corrected.to_at, corrected.covered_minutes, corrected.premium) == (later, 62, 300)
    assert kinds(ended) == ["cover.bound", "cover.activated", "cover.closed", "cover.closed"]


PER_KM = {"per": "km", "amount": 7, "untold_km_per_hour": 30}


def told(one: Cover) -> tuple[Any, ...]:
    """What the newest version says of its premium."""
    last = versions(one)[-1].data
    return last["charged_km"], last["km_from"], last["premium"]["amount"]


def test_a_premium_by_the_kilometre_is_by_the_odometer_at_both_ends(app: Flask) -> None:
    trip = factories.circle(premium=PER_KM).trip()
    bound = bind(trip)
    assert versions(bound)[-1].data["charged_km"] is None
    doing(cover.activate, trip.rental, bound.from_at, odometer_km=1200)
    doing(cover.close, trip.rental, bound.from_at + timedelta(minutes=61), evidence="box", odometer_km=1237)
    assert told(bound) == (37, "odometer", 259)


def test_a_cover_whose_box_told_no_odometer_is_charged_by_hours_until_a_later_record_tells_it(
    app: Flask,
) -> None:
    circle = factories.circle(premium=PER_KM)
    ended = factories.ended(circle, minutes=90)
    assert told(ended) == (60, "hours", 420)
    doing(
        cover.correct,
        ended.rental_id,
        ended.from_at + timedelta(minutes=80),
        evidence="box receipt",
        odometer_km=1211,
    )
    assert told(ended) == (11, "odometer", 77)


def test_a_void_cover_by_the_kilometre_costs_nothing(app: Flask) -> None:
    trip = factories.circle(premium=PER_KM).trip()
    bound = bind(trip)
    doing(cover.void, trip.rental, bound.from_at, "nothing opened")
    assert told(bound) == (0, "odometer", 0)


def test_an_extension_moves_own_damage_and_liability_stays_open(app: Flask) -> None:
    trip = factories.circle().trip(hours=2)
    bound = bind(trip)
    assert (bound.to_at, bound.own_damage_to) == (None, trip.to_at)
    later = trip.to_at + timedelta(hours=1)
    for _ in range(2):
        doing(cover.extend, trip.rental, later)
    found = cover.of(trip.rental)
    assert found is not None
    assert (found.to_at, found.planned_to, found.own_damage_to) == (None, later, later)
    assert kinds(bound) == ["cover.bound", "cover.extended"]


def test_a_late_car_stays_covered_for_liability_to_the_lock(app: Flask) -> None:
    trip = factories.circle(late={"rule": "stop"}).trip(hours=1)
    bound = bind(trip)
    doing(cover.overrun, trip.rental)
    doing(cover.overrun, trip.rental)
    locked = trip.to_at + timedelta(hours=3)
    closed = doing(cover.close, trip.rental, locked, evidence="box")
    assert (closed.to_at, closed.own_damage_to) == (locked, trip.to_at)
    assert kinds(bound) == ["cover.bound", "cover.overrun", "cover.closed"]


def test_reported_lateness_carries_own_damage_on_where_the_policy_says_so(app: Flask) -> None:
    trip = factories.circle(late={"rule": "reported", "hours": 24}).trip(hours=1)
    bind(trip)
    doing(cover.overrun, trip.rental)
    doing(cover.report_late, trip.rental, trip.to_at + timedelta(minutes=10))
    locked = trip.to_at + timedelta(hours=3)
    closed = doing(cover.close, trip.rental, locked, evidence="box")
    assert closed.own_damage_to == locked


def test_versions_cannot_be_changed_or_deleted(app: Flask) -> None:
    bound = bind(factories.circle().trip())
    for attempt in (
        "update cover_versions set kind = 'cover.closed' where cover_id = :id",
        "delete from cover_versions where cover_id = :id",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(text(attempt), {"id": bound.id.removeprefix("cov_")})
        session.rollback()


def test_a_version_names_no_person_no_rental_and_no_place(app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    written = str(versions(bound)[0].data)
    for secret in (circle.max.id, circle.max.name, circle.max.email, bound.rental_id, "48.85"):
        assert secret not in written


def test_two_insurers_know_a_driver_by_different_names(app: Flask) -> None:
    circle = factories.circle()
    first = factories.ended(circle)
    factories.policy()
    second = bind(circle.trip())
    assert first.driver_ref != second.driver_ref
