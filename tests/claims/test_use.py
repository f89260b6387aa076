"""How a car was used under a cover, over HTTP: derived at the end, and each thing that befell it in one cover at most."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.cars import custody, hourly
from app.cars.models import Car
from app.cars.watch import Seen
from app.claims import use
from app.coverage import cover as covers
from app.coverage.models import Cover
from app.facts import CoverClosed, DoorLeftOpen, TyreSoft
from app.kit import clock
from app.kit import facts as kit_facts
from app.kit.clock import z
from app.kit.db import session
from app.kit.facts import FactRow
from app.rentals import access
from app.rentals import end as ending
from tests.coverage import factories
from tests.coverage.factories import bearer, doing, seal
from tests.rentals.album import start
from tests.rentals.scene import make

HOUR = timedelta(hours=1)


class Trip:
    """Max drives Olga's car; its insurer asks how."""

    def __init__(self, app: Flask) -> None:
        self.app, self.scene = app, make(hours=6)
        self.scene.reads(capacity_kwh=17.6)

    @property
    def cover(self) -> Cover:
        found = covers.of(self.scene.rental_id)
        assert found is not None
        return found

    def start(self) -> None:
        start(self.scene)

    def end(self, *, km: float, charge: float, evidence: str = "box strong") -> None:
        self.scene.reads(odometer_km=1200.0 + km, charge_percent=charge)

        def locked() -> None:
            car, rental = access.locked(self.scene.rental_id)
            ending.end(car, rental, by="driver", evidence=evidence)

        doing(locked)
        closed = select(FactRow.seq).where(
            FactRow.kind == CoverClosed.kind, FactRow.data["cover"].astext == self.cover.id
        )
        seq = session.scalars(closed.order_by(FactRow.seq.desc())).first()
        assert seq is not None
        kit_facts.react(seq)

    def note(self, hours: int, **seen: Any) -> None:
        """The first reading of an hour, so many after the present one."""
        at = hourly.hour_of(clock.now()) + hours * HOUR
        doing(hourly.note, self.scene.car.no, at, Seen(**seen), used=True)

    def befalls(self, fact: type[Any], **said: Any) -> str:
        """The box tells it now; when."""
        told = fact(car=self.scene.car_id, rental=None, **said)
        seq = doing(kit_facts.record, told)
        return z(session.scalars(select(FactRow.at).where(FactRow.seq == seq)).one())

    def asked(self, status: int = 200) -> Any:
        seal()
        headers = bearer(self.app.test_client(), factories.client(self.cover.insurer_id, "coverage:read"))
        path = f"/v1/insurer/covers/{self.cover.id}/use"
        answer = self.app.test_client().get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json


@pytest.fixture
def trip(app: Flask) -> Trip:
    return Trip(app)


def test_the_use_of_a_battery_is_derived_at_the_end(trip: Trip) -> None:
    trip.start()
    trip.note(1, charge_percent=70.0, battery_celsius=4.0)
    trip.note(2, charge_percent=8.0, battery_celsius=19.0)
    clock.forward(4 * HOUR)
    trip.end(km=37, charge=30)
    found = trip.asked()
    assert found["derived_at"] is not None
    use = found["use"]
    assert (use["charge_start_percent"], use["charge_end_percent"], use["charge_min_percent"]) == (80, 30, 8)
    assert (use["km"], use["energy_out_wh"]) == (37, 8800)
    assert (use["pack_celsius_min"], use["pack_celsius_max"], use["hours_read"]) == (4, 19, 2)


def test_without_a_seen_lock_only_what_is_known_is_said(trip: Trip) -> None:
    trip.start()
    clock.forward(HOUR)
    trip.end(km=5, charge=70, evidence="owner")
    use = trip.asked()["use"]
    assert (use["charge_end_percent"], use["energy_out_wh"], use["minutes_below_10_percent"]) == (None,) * 3


def test_while_the_car_is_out_there_is_no_use_yet(trip: Trip) -> None:
    trip.start()
    assert trip.asked()["use"] is None


def test_deriving_it_twice_changes_nothing(trip: Trip) -> None:
    trip.start()
    clock.forward(HOUR)
    trip.end(km=5, charge=70)
    before = trip.asked()
    clock.forward(HOUR)
    closed = CoverClosed(cover=trip.cover.id, rental=trip.scene.rental_id, version=trip.cover.version)
    doing(use.on_closed, closed)
    assert trip.asked() == before


def test_it_is_derived_anew_when_the_end_of_the_cover_was_corrected(trip: Trip) -> None:
    trip.start()
    trip.note(1, charge_percent=8.0)
    clock.forward(3 * HOUR)
    trip.end(km=5, charge=70)
    assert trip.asked()["use"]["hours_read"] == 1
    earlier = trip.cover.from_at + timedelta(minutes=30)
    corrected = doing(covers.correct, trip.scene.rental_id, earlier, evidence="box")
    doing(
        use.on_closed, CoverClosed(cover=corrected.id, rental=trip.scene.rental_id, version=corrected.version)
    )
    assert trip.asked()["use"]["hours_read"] == 0


def test_what_befell_the_car_belongs_to_whom_had_it_at_that_instant(trip: Trip) -> None:
    trip.befalls(TyreSoft, wheels="0")
    trip.start()
    clock.forward(HOUR)
    during = trip.befalls(DoorLeftOpen, doors="door_fl")
    clock.forward(HOUR)
    trip.end(km=5, charge=70)
    trip.befalls(TyreSoft, wheels="3")
    [found] = trip.asked()["befell"]
    assert (found["at"], found["kind"], found["doors"], found["wheels"]) == (
        during,
        "door_left_open",
        "door_fl",
        None,
    )


def test_every_instant_is_in_one_cover_at_most(trip: Trip) -> None:
    """At the very instant of the end the car is its owner's again."""
    trip.start()
    clock.forward(HOUR)
    trip.end(km=5, charge=70)
    ended = trip.cover.to_at
    assert ended is not None

    def move() -> None:
        seq = kit_facts.record(TyreSoft(car=trip.scene.car_id, rental=None, wheels="1"))
        session.get_one(FactRow, seq).at = ended

    doing(move)
    assert trip.asked()["befell"] == []
    car = session.get_one(Car, trip.scene.car_id)
    held = custody.at(car.no, ended)
    assert held is not None
    assert held.holder == "owner"


def test_no_place_is_in_it(trip: Trip) -> None:
    trip.start()
    clock.forward(HOUR)
    trip.end(km=5, charge=70)
    assert "lat" not in str(trip.asked())
