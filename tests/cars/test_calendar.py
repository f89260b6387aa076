"""A car's calendar: read by whom may see the car, with names by who runs it, in one statement that says what access says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.cars import access, add, block, calendar
from app.cars.models import Car
from app.kit import clock
from app.kit.db import bare, session, transactional
from app.kit.errors import NotFound, Validation
from tests import factories

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """Olga's car in a circle with Max, and one that the circle owns itself; Charlie is in none."""

    people: dict[str, str]
    day: datetime
    """A morning in a month, whatever the clock says."""
    circle: str
    own: Car
    common: Car


@pytest.fixture
def scene(app: Flask) -> Scene:
    olga, max_, charlie = (factories.person(name) for name in ("Olga", "Max", "Charlie"))
    circle = factories.circle(olga, max_)
    own = factories.shared(olga, circle)
    common = factories.car(olga, community=circle.id)
    day = (clock.now() + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)
    for car in (own, common):
        block.add(olga.id, car.id, {"from_at": day, "to_at": day + HOUR, "kind": "own_use"})
    people = {"olga": olga.id, "max": max_.id, "charlie": charlie.id}
    return Scene(people, day, circle.id, own, common)


@transactional
def write(statement: str, **values: Any) -> None:
    session.execute(text(statement), values)


def _of_max(**what: Any) -> Callable[[Scene], None]:
    values = ", ".join(f"{name} = :{name}" for name in what)
    statement = f"update memberships set {values} where community_id = :circle and person_id = :max"  # noqa: S608

    def call(scene: Scene) -> None:
        write(statement, circle=bare(scene.circle, "com"), max=bare(scene.people["max"], "per"), **what)

    return call


def _end_circle(scene: Scene) -> None:
    write("update communities set ended_at = now() where id = :id", id=bare(scene.circle, "com"))


def _unshare(scene: Scene) -> None:
    add.unshare(scene.people["olga"], scene.own.id, scene.circle)


def _remove(scene: Scene) -> None:
    for car in (scene.own, scene.common):
        write("update cars set removed_at = now() where no = :no", no=car.no)


CHANGES: dict[str, Callable[[Scene], None] | None] = {
    "nothing": None,
    "max runs it too": _of_max(role="manager"),
    "max is blocked": _of_max(blocked=True),
    "a manager is blocked": _of_max(role="manager", blocked=True),
    "max has left": _of_max(ended_at=LONG_AGO),
    "the circle has ended": _end_circle,
    "the sharing has ended": _unshare,
    "the cars are removed": _remove,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_who_may_see_a_car_may_see_its_calendar_and_who_runs_it_the_names(
    scene: Scene, change: Callable[[Scene], None] | None
) -> None:
    if change is not None:
        change(scene)
    session.expunge_all()
    session.rollback()
    for car in (scene.own, scene.common):
        for person in scene.people.values():
            assert _seen(scene, person, car) == _by_access(person, car), (person, car)


def _by_access(person: str, car: Car) -> str:
    try:
        found = access.may_see(car.id, person)
    except NotFound:
        return "not found"
    return "runs" if access.runs(found, person) else "sees"


def _seen(scene: Scene, person: str, car: Car) -> str:
    try:
        found = calendar.of(person, car.id, scene.day - HOUR, scene.day + 2 * HOUR)
    except NotFound:
        return "not found"
    (blocked,) = (span for span in found if span["kind"] == "blocked")
    return "runs" if blocked["ref"] else "sees"


def test_spans_are_cut_to_what_was_asked_and_in_order(scene: Scene) -> None:
    day = scene.day
    half = day + HOUR / 2
    found = calendar.of(scene.people["max"], scene.own.id, half, day + 2 * HOUR)
    shown = [(span["kind"], span["from_at"], span["to_at"]) for span in found]
    assert shown == [("blocked", half, day + HOUR), ("free", day + HOUR, day + 2 * HOUR)]


def test_a_car_without_windows_has_no_free_spans(scene: Scene) -> None:
    found = calendar.of(scene.people["olga"], scene.common.id, scene.day - HOUR, scene.day + HOUR)
    assert [span["kind"] for span in found] == ["blocked"]


@pytest.mark.parametrize("length", [timedelta(0), -HOUR, timedelta(days=92, seconds=1)])
def test_a_span_is_in_order_and_of_at_most_92_days(app: Flask, length: timedelta) -> None:
    with pytest.raises(Validation):
        calendar.of(f"per_{'0' * 32}", f"car_{'0' * 32}", LONG_AGO, LONG_AGO + length)
