from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.cars import add
from app.coverage import ahead, conditional, cover, coverage_at, insurer_reads, report, sealed
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import db
from app.kit.errors import Validation
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bind, doing, seal

MS = timedelta(milliseconds=1)


def ask(circle: factories.Circle, at: datetime, **values: object) -> dict[str, object]:
    return coverage_at.ask(circle.policy.insurer_id, at=at, plate=circle.car.plate, country="FR", **values)  # type: ignore[arg-type]


def end_of(one: Cover) -> datetime:
    assert one.to_at is not None
    return one.to_at


def test_cover_begins_and_ends_at_its_very_millisecond(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    begin, end = ended.from_at, end_of(ended)
    instants = (begin - MS, begin, begin + MS, end - MS, end, end + MS)
    answers = [ask(circle, at)["covered"] for at in instants]
    assert answers == ["no", "yes", "yes", "yes", "no", "no"]


def test_at_the_end_of_one_cover_the_answer_is_the_next(app: Flask) -> None:
    circle = factories.circle()
    first = factories.ended(circle)
    second = bind(circle.trip(), end_of(first))
    seal()
    assert ask(circle, end_of(first) - MS)["cover"]["id"] == first.id  # type: ignore[index]
    assert ask(circle, end_of(first))["cover"]["id"] == second.id  # type: ignore[index]


def test_the_answer_names_cover_policy_pseudonym_and_odometer_but_no_driver(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    found = ask(circle, ended.from_at)
    assert found["holder"] == "other"
    assert found["insurer"] == "Exemple Assurances"
    assert found["policy_number"] == circle.policy.number
    assert found["driver_ref"] == ended.driver_ref
    assert found["odometer_km"] == 1200
    assert "driver" not in found
    named = ask(circle, ended.from_at, shown_to="cli_1")["driver"]
    assert named["name"] == "Max Member"  # type: ignore[index]


def test_a_car_is_found_by_vin_and_by_a_plate_written_otherwise(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    mine = circle.policy.insurer_id
    by_vin = coverage_at.ask(mine, at=ended.from_at, vin=circle.car.vin)
    spaced = circle.car.plate.replace("-", " ").lower()
    by_plate = coverage_at.ask(mine, at=ended.from_at, plate=spaced, country="FR")
    assert by_vin["cover"] == by_plate["cover"]


def test_a_vin_that_was_entered_anew_many_times_is_answered_by_the_entry_of_the_instant(app: Flask) -> None:
    circle = factories.circle()
    first = factories.ended(circle)
    mine, before = circle.policy.insurer_id, circle.car.made_at - MS
    vin = circle.car.vin
    add.remove(circle.olga.id, circle.car.id)
    for _ in range(4):
        clock.forward(timedelta(minutes=1))
        add.remove(circle.olga.id, people.car(circle.olga, vin=vin).id)
    seal()
    answers = [coverage_at.ask(mine, at=at, vin=vin) for at in (first.from_at, before)]
    assert [one["covered"] for one in answers] == ["yes", "unknown"]
    assert answers[0]["cover"]["id"] == first.id


def test_a_void_cover_was_never_cover_and_does_not_hide_the_one_before(app: Flask) -> None:
    circle = factories.circle()
    first = factories.ended(circle)
    trip = circle.trip()
    void = bind(trip)
    doing(cover.void, trip.rental, void.from_at, "nothing opened")
    doing(cover.correct, first.rental_id, void.from_at + timedelta(seconds=2), evidence="box record")
    clock.forward(timedelta(minutes=1))
    seal()
    assert ask(circle, void.from_at)["cover"]["id"] == first.id  # type: ignore[index]
    assert ask(circle, void.from_at + timedelta(seconds=2))["covered"] == "no"


def test_the_future_is_refused(app: Flask) -> None:
    circle = factories.circle()
    with pytest.raises(Validation):
        ask(circle, clock.now() + timedelta(seconds=30))
    with pytest.raises(Validation):
        ask(circle, clock.now(), as_of=clock.now() + timedelta(seconds=30))


def test_an_unknown_plate_is_unknown(app: Flask) -> None:
    mine = factories.policy().insurer_id
    found = coverage_at.ask(mine, at=clock.now(), plate="ZZ-000-ZZ", country="FR")
    assert found["covered"] == "unknown"


def test_another_insurer_learns_nothing_of_a_cover(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    rival = factories.insurer("Rival")
    seal()
    for at in (ended.from_at, end_of(ended) + MS):
        found = coverage_at.ask(rival.id, at=at, plate=circle.car.plate, country="FR")
        assert found["covered"] == "unknown"
        assert ended.id not in str(found)
        assert ended.driver_ref not in str(found)


def test_what_is_not_sealed_is_not_known(app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    clock.forward(timedelta(minutes=1))
    assert ask(circle, bound.from_at)["covered"] == "no"
    seal()
    assert ask(circle, bound.from_at)["covered"] == "yes"


def test_as_of_an_instant_shows_only_what_was_known_then(app: Flask) -> None:
    circle = factories.circle()
    trip = circle.trip(hours=2)
    bound = bind(trip)
    seal()
    clock.forward(timedelta(minutes=30))
    accident = clock.now()
    clock.forward(timedelta(minutes=1))
    later = trip.to_at + timedelta(hours=2)
    doing(cover.extend, trip.rental, later)
    seal()
    then = ask(circle, accident, as_of=accident)["cover"]
    now = ask(circle, accident)["cover"]
    assert (then["version"], now["version"]) == (1, 2)  # type: ignore[index]
    assert then["own_damage"]["to"] == clock.z(trip.to_at)  # type: ignore[index]
    assert now["own_damage"]["to"] == clock.z(later)  # type: ignore[index]
    assert now["recorded_at"] > clock.z(accident)  # type: ignore[index]
    assert ask(circle, bound.from_at, as_of=bound.from_at - timedelta(minutes=1))["covered"] == "no"


def test_the_as_of_an_answer_names_gives_the_same_answer_again(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    first = ask(circle, ended.from_at)
    clock.forward(timedelta(minutes=1))
    factories.ended(circle)
    seal()
    again = ask(circle, ended.from_at, as_of=first["as_of"])
    assert again == first
    assert sealed.head().position > int(str(first["position"]))


def test_exposure_counts_the_cars_that_are_out(app: Flask) -> None:
    circle = factories.circle()
    other = people.shared(circle.olga, circle.community_row())
    mine = circle.policy.insurer_id
    factories.ended(circle)
    bind(circle.trip())
    out = circle.trip(car=other)
    bind(out)
    seal()
    [item] = insurer_reads.exposure(mine)["items"]
    assert (item["cars"], item["declared_value"]) == (2, {"amount": 3_000_000, "currency": "EUR"})
    as_of = insurer_reads.exposure(mine)["as_of"]
    clock.forward(timedelta(minutes=2))
    doing(cover.close, out.rental, clock.now(), evidence="box")
    seal()
    assert insurer_reads.exposure(mine)["items"][0]["cars"] == 1
    assert insurer_reads.exposure(mine, as_of)["items"][0]["cars"] == 2


@pytest.mark.parametrize(
    "statement",
    [coverage_at.BY_PLATE, coverage_at.BY_VIN, coverage_at.BY_PLATE_NOW, coverage_at.BY_VIN_NOW],
    ids=["plate then", "vin then", "plate now", "vin now"],
)
def test_the_coverage_query_uses_its_indexes_alone(app: Flask, statement: object) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    values = {
        "insurer": circle.policy.insurer_id.removeprefix("ins_"),
        "at": ended.from_at,
        "position": 1_000_000,
        "plate": "GB00001AA",
        "country": "FR",
        "vin": circle.car.vin,
    }
    with db.engine.connect() as connection:
        connection.execute(text("set local enable_seqscan = off"))
        connection.execute(text("set local enable_bitmapscan = off"))
        connection.execute(text("set local enable_sort = off"))
        connection.execute(text("set local enable_incremental_sort = off"))
        rows = connection.execute(text(f"explain {statement}"), values).scalars().all()
    plan = "\n".join(rows)
    assert "Seq Scan" not in plan, plan
    assert "covers_began_idx" in plan, plan
    assert "cover_versions_pkey" in plan, plan
    assert "Index Cond: ((car_no = " in plan, plan


def test_a_start_that_a_late_record_moved_back_changes_no_answer_given_before(app: Flask) -> None:
    circle = factories.circle()
    clock.forward(timedelta(hours=1))
    trip = circle.trip()
    bound = bind(trip)
    doing(cover.activate, trip.rental, bound.from_at, odometer_km=1200)
    seal()
    clock.forward(timedelta(minutes=1))
    between = bound.from_at - timedelta(minutes=10)
    said = ask(circle, between)
    assert said["covered"] == "no"
    clock.forward(timedelta(minutes=1))
    doing(ahead.begin_earlier, trip.rental, bound.from_at - timedelta(minutes=20), odometer_km=1200)
    seal()
    assert ask(circle, between)["covered"] == "yes"
    assert ask(circle, between, as_of=said["as_of"]) == said


@pytest.mark.parametrize("later", ["shorter", "longer", "used", "taken up", "given up"])
def test_whatever_becomes_of_a_cover_on_condition_changes_no_answer_given_before(
    app: Flask, later: str
) -> None:
    circle = factories.circle()
    trip = circle.trip(hours=3)
    begin, hour = trip.from_at, timedelta(hours=1)
    doing(ahead.bind, trip, begin, begin + 4 * hour)
    seal()
    clock.forward(timedelta(hours=3, minutes=30))
    asked = begin + 3 * hour
    said = ask(circle, asked)
    assert said["cover"]["state"] == "conditional"  # type: ignore[index]
    changes: dict[str, Callable[[], object]] = {
        "shorter": lambda: doing(ahead.bind, replace(trip, to_at=begin + hour), begin, begin + 2 * hour),
        "longer": lambda: doing(ahead.bind, replace(trip, to_at=begin + 5 * hour), begin, begin + 6 * hour),
        "used": lambda: doing(conditional.activate, trip.rental, begin + hour, trip.to_at, odometer_km=7),
        "taken up": lambda: bind(trip),
        "given up": lambda: doing(conditional.drop, trip.rental, "no grant opened the car"),
    }
    clock.forward(timedelta(minutes=1))
    changes[later]()
    seal()
    assert ask(circle, asked, as_of=said["as_of"]) == said


def test_that_the_insurer_takes_note_changes_no_answer_given_before(app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    seal()
    clock.forward(timedelta(minutes=1))
    said, mine = ask(circle, bound.from_at), circle.policy.insurer_id
    then: Any = said["as_of"]
    one = insurer_reads.find(mine, bound.id, then)
    report.acknowledge(bound.id, 1)
    seal()
    assert insurer_reads.find(mine, bound.id)["acknowledged_at"] is not None
    assert ask(circle, bound.from_at, as_of=said["as_of"]) == said
    assert insurer_reads.find(mine, bound.id, then) == one


def test_what_was_taken_note_of_is_no_question_about_an_earlier_instant(app: Flask) -> None:
    circle = factories.circle()
    with pytest.raises(Validation):
        insurer_reads.covers(
            circle.policy.insurer_id, limit=10, cursor=None, state=None, acknowledged=False, as_of=clock.now()
        )
