"""Where calendars and clocks turn: a new year's policy, and the hour of autumn that comes twice."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from app.coverage import cover, master_policies
from app.coverage.models import Cover, CoverVersion, Policy
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import POLICY, bearer, bind, doing, seal

MS, HALF = timedelta(milliseconds=1), timedelta(minutes=30)
PLACES = [("FR", "Europe/Paris"), ("PT", "Atlantic/Azores")]
"""East and west of UTC, so that the year turns an hour before and an hour after it does there."""


def until(at: datetime) -> None:
    """Business time is that now."""
    clock.forward(at - clock.now())


def new_year(zone: str) -> datetime:
    """The next midnight of 31 December on the clocks of a place; business time is an hour before it."""
    latest = clock.now() + 2 * HALF
    year = latest.astimezone(ZoneInfo(zone)).year + 1
    turn = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    until(turn - 2 * HALF)
    return turn


def insured_there(country: str, zone: str, turn: datetime) -> factories.Circle:
    """A circle whose policy runs out as the year does."""
    return factories.circle(
        countries=[country],
        territory=[country],
        valid_to=z(turn),
        car={"country": country, "time_zone": zone},
    )


def renewed(circle: factories.Circle, turn: datetime, **terms: Any) -> Policy:
    """The next version of the same contract, from midnight on."""
    body = copy.deepcopy(circle.policy.data) | {"version": 2, "valid_from": z(turn), **terms}
    body |= {"valid_to": POLICY["valid_to"]}
    return master_policies.activate(master_policies.add(circle.policy.insurer_id, body).id, by="test")


def under(one: Cover) -> int:
    """The version of the policy that the newest version of a cover names."""
    session.expire_all()
    found = session.get_one(CoverVersion, (one.id, session.get_one(Cover, one.id).version))
    version: int = found.data["master_policy"]["version"]
    return version


@pytest.mark.parametrize(("country", "zone"), PLACES)
def test_a_cover_over_midnight_of_31_december_follows_the_policy_in_force_at_its_start(
    app: Flask, country: str, zone: str
) -> None:
    turn = new_year(zone)
    circle = insured_there(country, zone, turn)
    dearer = {"premium": {"per": "day", "amount": 9900}, "late": {"rule": "lock"}, "max_rental_days": 1}
    after = renewed(circle, turn, **dearer)
    cars = [
        people.shared(circle.olga, circle.community_row(), country=country, time_zone=zone) for _ in range(2)
    ]
    until(turn - HALF)
    trip = circle.trip(from_at=turn - HALF, to_at=turn + timedelta(minutes=10))
    before = bind(trip, turn - HALF)
    last = bind(circle.trip(car=cars[0], from_at=turn - MS, to_at=turn + HALF), turn - MS)
    until(turn)
    first = bind(circle.trip(car=cars[1], from_at=turn, to_at=turn + HALF), turn)
    assert [under(one) for one in (before, last, first)] == [1, 1, 2]
    assert first.policy_id == after.id
    longer, anew = (circle.trip(from_at=at, to_at=at + timedelta(days=3)) for at in (turn - HALF, turn))
    assert cover.reasons_against(longer, ignore_clearance=True) == []
    assert cover.reasons_against(anew, ignore_clearance=True) == ["rental_too_long"]
    until(turn + HALF)
    closed = doing(cover.close, trip.rental, turn + HALF, evidence="box")
    assert (under(closed), closed.covered_minutes, closed.premium) == (1, 60, 150)
    assert closed.own_damage_to == trip.to_at, "the rule that stops own damage at the planned end"
    assert doing(cover.close, first.rental_id, turn + HALF, evidence="box").premium == 9900


@pytest.mark.parametrize(("country", "zone"), PLACES)
def test_a_policy_that_ends_with_the_year_runs_off_and_binds_nothing_more(
    app: Flask, country: str, zone: str
) -> None:
    turn = new_year(zone)
    circle = insured_there(country, zone, turn)
    until(turn - HALF)
    trip = circle.trip(from_at=turn - HALF, to_at=turn + HALF)
    bind(trip, turn - HALF)
    until(turn + HALF)
    assert cover.reasons_against(circle.trip(from_at=turn)) == ["no_policy"]
    doing(cover.extend, trip.rental, turn + 2 * HALF)
    until(turn + 2 * HALF)
    closed = doing(cover.close, trip.rental, turn + 2 * HALF, evidence="box")
    assert (closed.state, under(closed), closed.premium) == ("closed", 1, 300)
    assert closed.own_damage_to == closed.to_at


def end_of_summer_time() -> datetime:
    """When clocks in Europe next go back from three to two, the last Sunday of October, one o'clock UTC; an hour ahead."""
    now = clock.now()
    for year in (now.year, now.year + 1):
        last = datetime(year, 10, 31, 1, tzinfo=UTC)
        turn = last - timedelta(days=(last.weekday() + 1) % 7)
        if turn > now + timedelta(days=1):
            until(turn - timedelta(hours=1))
            return turn
    raise AssertionError("one of two Octobers lies ahead")


def test_the_hour_that_comes_twice_is_two_hours_for_who_asks_with_the_offset(http: Any, app: Flask) -> None:
    turn = end_of_summer_time()
    circle = factories.circle()
    spans = [(turn - timedelta(minutes=50), 40), (turn + timedelta(minutes=10), 40)]
    covers = []
    for begin, minutes in spans:
        until(begin)
        end = begin + timedelta(minutes=minutes)
        trip = circle.trip(from_at=begin, to_at=end)
        covers.append(bind(trip, begin).id)
        doing(cover.activate, trip.rental, begin)
        until(end)
        doing(cover.close, trip.rental, end, evidence="box")
    until(turn + timedelta(hours=2))
    seal()
    ines = bearer(http, factories.client(circle.policy.insurer_id))
    day = turn.date().isoformat()

    def asked(local: str) -> Any:
        query = {"plate": circle.car.plate, "country": "FR", "at": f"{day}T{local}"}
        return http.get("/v1/insurer/coverage", query_string=query, headers=ines)

    by_offset = {
        "02:30:00+02:00": covers[0],
        "02:30:00+01:00": covers[1],
        "02:05:00+02:00": None,
        "02:55:00+02:00": None,
        "02:05:00+01:00": None,
        "02:55:00+01:00": None,
    }
    found = {local: asked(local).json.get("cover", {}).get("id") for local in by_offset}
    assert found == by_offset
    assert asked("02:30:00").status_code == 422, "without an offset it is not said which of the two"
