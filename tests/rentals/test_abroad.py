"""A lent car is seen outside the insurer's territory: the cover gets a flag, and nothing else of the journey is kept."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.boxlink import ingest
from app.boxlink.inbox import Inbox
from app.cars import readings
from app.claims import use
from app.coverage import cover
from app.coverage.models import CoverVersion
from app.facts import LeftTerritory, RentalStarted
from app.kit import clock, sealed
from app.kit.clock import z
from app.kit.db import session
from app.rentals import abroad
from tests.cars.test_readings import said
from tests.coverage import factories as insured
from tests.coverage.factories import bearer, seal
from tests.rentals.garage import Garage, build, end_with_signal, facts_of, insurer_says, start_with_signal

# The test policy's territory is France, Belgium and Germany.
PARIS, BRUSSELS, BERN, TURIN, GENEVA = (
    (48.8566, 2.3522),
    (50.85, 4.35),
    (46.95, 7.45),
    (45.07, 7.69),
    (46.19, 6.18),
)
MINUTE = timedelta(minutes=1)
Place = tuple[float, float]


@pytest.fixture
def garage(app: Flask) -> Garage:
    """Max has the car."""
    del app
    made = build(8)
    start_with_signal(made)
    return made


def drive(garage: Garage, *places: Place) -> None:
    """The box says where it is, two minutes apart; what follows is done as a worker does it."""
    for lat, lon in places:
        clock.forward(2 * MINUTE)
        session.rollback()
        readings.take(garage.scene.box.username, said(latitude=lat, longitude=lon))
        work(garage)


def work(garage: Garage) -> None:
    rows = session.execute(
        text(
            "delete from procrastinate_jobs where task_name = 'note_country' and args ->> 'rental' = :rental"
            " returning args"
        ),
        {"rental": garage.scene.rental_id},
    ).scalars()
    waiting = list(rows)
    session.commit()
    for args in waiting:
        abroad.note_country(**args)
    session.expire_all()


def versions(garage: Garage) -> list[tuple[str, list[dict[str, str]]]]:
    found = cover.of(garage.scene.rental_id)
    assert found is not None
    wanted = select(CoverVersion).where(CoverVersion.cover_id == found.id).order_by(CoverVersion.version)
    return [(row.kind, row.data["left_territory"]) for row in session.scalars(wanted)]


def flags(garage: Garage) -> list[str]:
    return [one["country"] for one in versions(garage)[-1][1]]


def test_two_readings_in_a_country_outside_flag_the_cover_once(garage: Garage) -> None:
    drive(garage, PARIS, BERN)
    assert flags(garage) == []
    seen = clock.now()
    drive(garage, BERN, BERN, PARIS, PARIS, BERN, BERN)
    kind, [flag] = versions(garage)[-1]
    assert (kind, flag["country"]) == ("cover.left_territory", "CH")
    assert z(seen - MINUTE) <= flag["at"] <= z(seen)
    assert [one["country"] for one in facts_of(LeftTerritory, garage.scene.rental_id)] == ["CH"]
    drive(garage, TURIN, TURIN)
    assert flags(garage) == ["CH", "IT"]


UNFLAGGED: dict[str, tuple[Place, ...]] = {
    "inside the territory": (BRUSSELS, BRUSSELS, PARIS),
    "one stray reading, and another": (TURIN, PARIS, BERN, PARIS),
    "near a border": (GENEVA, GENEVA, GENEVA, PARIS),
    "at sea, and without a fix": ((50.2, -1.0), (50.2, -1.0), (0.0, 0.0), (0.0, 0.0), PARIS),
}


def test_where_nothing_is_sure_or_the_policy_reaches_nothing_is_noted(garage: Garage) -> None:
    for why, places in UNFLAGGED.items():
        drive(garage, *places)
        assert flags(garage) == [], why
    for _ in range(3):
        clock.forward(2 * MINUTE)
        readings.take(garage.scene.box.username, said(latitude=BERN[0]))
    work(garage)
    assert flags(garage) == [], "the halves of a place were said apart"
    assert facts_of(LeftTerritory, garage.scene.rental_id) == []


def test_nothing_is_locked_and_no_command_is_refused(garage: Garage) -> None:
    before = garage.scene.unmet("lock")
    drive(garage, BERN, BERN)
    assert flags(garage) == ["CH"]
    assert garage.stands() == "active"
    assert garage.scene.unmet("lock") == before
    end_with_signal(garage)
    assert versions(garage)[-1][0] == "cover.closed"
    assert flags(garage) == ["CH"]


def test_what_is_heard_of_after_the_lock_counts_for_when_it_was(garage: Garage) -> None:
    drive(garage, BERN)
    clock.forward(2 * MINUTE)
    readings.take(garage.scene.box.username, said(latitude=BERN[0], longitude=BERN[1]))
    end_with_signal(garage)
    work(garage)
    assert [kind for kind, _ in versions(garage)][-2:] == ["cover.closed", "cover.left_territory"]


def test_the_owners_own_journeys_are_nobodys_business(app: Flask) -> None:
    made = build(8)
    drive(made, BERN, BERN)
    start_with_signal(made)
    drive(made, PARIS, PARIS)
    end_with_signal(made)
    drive(made, BERN, BERN)
    assert flags(made) == []


def test_a_car_that_was_abroad_already_is_noted_once_it_is_seen_there_under_the_rental(app: Flask) -> None:
    made = build(8)
    drive(made, BERN, BERN)
    start_with_signal(made)
    assert flags(made) == []
    [begun] = facts_of(RentalStarted, made.scene.rental_id)
    at = made.rental.started_at
    abroad.on_started(RentalStarted(made.scene.rental_id, begun["command"], at))
    drive(made, BERN)
    assert flags(made) == ["CH"]


def test_a_car_seen_abroad_before_the_record_of_its_start_is_here_is_flagged_with_it(app: Flask) -> None:
    made = build(8)
    made.fetched()
    unlock = made.do("unlock")
    drive(made, BERN, BERN)
    assert made.upload(unlock) == ["accepted"]
    [begun] = facts_of(RentalStarted, made.scene.rental_id)
    assert made.rental.started_at is not None
    abroad.on_started(RentalStarted(made.scene.rental_id, begun["command"], made.rental.started_at))
    work(made)
    assert flags(made) == ["CH"]


def test_a_car_is_at_home_where_its_place_is(garage: Garage) -> None:
    car = garage.scene.car
    car.home_lat, car.home_lon = BERN
    session.commit()
    drive(garage, BERN, BERN)
    assert flags(garage) == []


def test_an_insurer_sees_it_from_when_it_was_recorded_and_in_the_use_of_the_cover(garage: Garage) -> None:
    drive(garage, PARIS)
    seal()
    before = sealed.head().as_of
    clock.forward(MINUTE)
    drive(garage, BERN, BERN)
    clock.forward(MINUTE)
    seal()
    bound = cover.of(garage.scene.rental_id)
    assert bound is not None
    headers = bearer(garage.http, insured.client(bound.insurer_id))
    now = insurer_says(garage, f"covers/{bound.id}", headers)
    then = insurer_says(garage, f"covers/{bound.id}", headers, as_of=z(before))
    assert ([one["country"] for one in now["left_territory"]], then["left_territory"]) == (["CH"], [])
    assert insurer_says(garage, f"covers/{bound.id}/use", headers)["left_territory"] == now["left_territory"]
    assert use.of_cover(bound.insurer_id, bound.id)["left_territory"] == now["left_territory"]
    kinds = [one["kind"] for one in insurer_says(garage, f"covers/{bound.id}/events", headers)["items"]]
    assert kinds[-1] == "cover.left_territory"


def test_no_position_of_the_journey_is_kept(garage: Garage) -> None:
    drive(garage, (46.7, 7.1), (46.8, 7.2), (46.91234, 7.34567), PARIS)
    assert flags(garage) == ["CH"]
    tables = session.execute(
        text(
            "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
        )
    ).scalars()
    for table in list(tables):
        kept = f"select count(*) from {table} t where t::text ~ '46[.]91234|7[.]34567'"  # noqa: S608
        assert session.execute(text(kept)).scalar_one() == 0, table


def test_readings_heard_by_boxlink_are_looked_at(garage: Garage) -> None:
    for _ in range(2):
        clock.forward(2 * MINUTE)
        inbox = Inbox()
        inbox.add(garage.scene.box.username, said(latitude=BERN[0], longitude=BERN[1]))
        ingest.write(inbox)
    work(garage)
    assert flags(garage) == ["CH"]
