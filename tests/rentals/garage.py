"""A garage without signal: Max's phone with a key of its own, and a companion beside the box of Olga's car."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from flask import current_app
from sqlalchemy import select

from app import due
from app.cars import companion as companions
from app.cars import occupancy
from app.cars.models import Custody
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import release, session
from app.kit.facts import FactRow
from app.kit.keys import Purpose, ring
from app.people.models import Phone
from app.rentals import access, settle, unlock_answered
from app.rentals import end as ending
from app.rentals.lifecycle import State
from app.rentals.models import Grant
from carbox.grant import b64, compressed
from carbox.phone import PhoneInHand
from carbox.simulator import travel
from carbox.simulator.car import Car as SimulatedCar
from carbox.simulator.clock import HastenedClock
from carbox.simulator.companion import Companion
from carbox.simulator.profiles import PROFILES
from tests.coverage.factories import doing
from tests.rentals.scene import Scene, make

MINUTE = timedelta(minutes=1)


@dataclass
class Garage:
    """What stands there. `skew` is how far the box's clock runs ahead, `now` its own idea of the time."""

    scene: Scene
    http: Any
    headers: dict[str, str]
    companion: Companion
    phone: PhoneInHand
    skew: timedelta = timedelta(0)
    now: datetime | None = None
    records: list[str] = field(default_factory=list)

    @property
    def rental(self) -> Any:
        """As it stands now."""
        session.expire_all()
        return self.scene.rental

    @property
    def car(self) -> SimulatedCar:
        return self.companion.car

    def stands(self) -> State:
        found: State = self.rental.stands
        return found

    def locked(self) -> bool:
        return self.car.locked

    def fetch(self) -> Any:
        release()
        return self.http.get(f"/v1/rentals/{self.scene.rental_id}/grant", headers=self.headers)

    def fetched(self) -> dict[str, Any]:
        """The phone asks for its grant, while it has signal."""
        answer = self.fetch()
        assert answer.status_code == 200, answer.text
        self.phone.fetched = dict(answer.json)
        return self.phone.fetched

    def do(self, verb: str) -> str:
        """At the car, without signal; what the box signed."""
        return b64(self.phone.do(verb, self.companion.answer))

    def drive(self, km: float) -> None:
        self.car.keys_in_glove_box = False
        travel.drive(self.car, km)
        self.car.ignite(on=False)
        self.car.keys_in_glove_box = True

    def upload(self, *records: str) -> list[str]:
        release()
        answer = self.http.post(
            "/v1/me/offline-receipts", json={"receipts": list(records)}, headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json["results"]
        return found

    def covers(self) -> list[Any]:
        """The rental's covers as they stand now, oldest first."""
        return _as_read(
            select(Cover).where(Cover.rental_id == self.scene.rental_id).order_by(Cover.recorded_at, Cover.id)
        )

    def grants(self) -> list[Any]:
        return _as_read(select(Grant).where(Grant.rental_id == self.scene.rental_id).order_by(Grant.id))

    def custody(self) -> list[tuple[str, datetime, datetime | None]]:
        """Who held the car from when to when, without spans of no length."""
        rows = _as_read(
            select(Custody).where(Custody.car_no == self.scene.car.no).order_by(Custody.from_at, Custody.id)
        )
        return [(one.holder, one.from_at, one.to_at) for one in rows if one.to_at != one.from_at]


def _as_read(statement: Any) -> list[Any]:
    """Rows that stay as they were read."""
    session.expire_all()
    rows = list(session.scalars(statement))
    for row in rows:
        session.expunge(row)
    return rows


def build(hours: float = 2, *, key: ec.EllipticCurvePrivateKey | None = None) -> Garage:
    """The scene with a companion beside the box, and its session on the phone that has the key."""
    scene = make(hours)
    issuers = [compressed(one.public) for one in ring().live(Purpose.GRANTS)]
    phone = PhoneInHand() if key is None else PhoneInHand(key)
    made: list[Garage] = []
    kind = PROFILES["DEMO"]
    car = SimulatedCar(HastenedClock(), "WME4533911K000000", kind.capacity_kwh, kind.range_km)
    beside = Companion(car, issuers, clock=lambda: _time(made[0]))
    doing(companions.pair, scene.box, beside.pairing)
    row = session.get_one(Phone, scene.phone.id)
    row.public_key = phone.public_key
    session.commit()
    headers = {"Authorization": f"Bearer {scene.token}"}
    made.append(Garage(scene, current_app.test_client(), headers, beside, phone))
    return made[0]


def _time(garage: Garage) -> int:
    return int(((garage.now or clock.now()) + garage.skew).timestamp())


def at_a_price(garage: Garage, hour: int = 600) -> None:
    rental = garage.rental
    rental.terms = {**rental.terms, "currency": "EUR", "hour": hour, "early_return_percent": 100}
    rental.fare = "priced"
    session.commit()


def whole(instant: datetime) -> datetime:
    """As a box's clock tells it."""
    return instant.replace(microsecond=0)


def this_second() -> datetime:
    """What the box's clock tells, at the beginning of a second: what is done at once is done in the same."""
    now = clock.now()
    clock.forward(whole(now) + timedelta(seconds=1) - now)
    return whole(clock.now())


def drive_without_signal(garage: Garage, minutes: int = 50) -> tuple[str, str]:
    """Ten minutes into the rental the car is opened, driven 12 km and locked for good."""
    garage.fetched()
    clock.forward(10 * MINUTE)
    unlock = garage.do("unlock")
    garage.drive(12)
    clock.forward(minutes * MINUTE)
    lock = garage.do("lock")
    clock.forward(5 * MINUTE)
    return unlock, lock


def facts_of(kind: type, rental: str) -> list[dict[str, Any]]:
    session.expire_all()
    rows = session.scalars(select(FactRow).where(FactRow.kind == kind.__name__).order_by(FactRow.seq))
    return [row.data for row in rows if row.data.get("rental") == rental]


def slot(garage: Garage) -> list[str]:
    rental = garage.rental
    found = occupancy.spans(garage.scene.car, rental.from_at, rental.to_at)
    return [kind for kind, ref, _, _ in found if ref == rental.id]


def start_with_signal(garage: Garage) -> None:
    command = garage.scene.unlock()

    def work() -> None:
        car, rental = access.locked(garage.scene.rental_id)
        settle.settle(command, "confirmed")
        unlock_answered.open_doors(car, rental, command.id)

    doing(work)


def end_with_signal(garage: Garage) -> None:
    def work() -> None:
        car, rental = access.locked(garage.scene.rental_id)
        ending.end(car, rental, by="driver", evidence="box strong")

    doing(work)


def insurer_says(garage: Garage, path: str, headers: dict[str, str], **query: Any) -> Any:
    answer = garage.http.get(f"/v1/insurer/{path}", headers=headers, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def work_off() -> None:
    """Every deadline that is due; those that other tests left come first."""
    while due.work_off() >= due.BATCH:
        release()
