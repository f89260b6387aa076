"""Olga's car with a box that was just heard, and Max's rental of it, booked for now."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.cars import box as boxes
from app.cars.models import Box, Car
from app.communities import make as communities
from app.communities.models import Community
from app.kit import clock
from app.kit.auth import Caller
from app.kit.clock import z
from app.kit.db import release, session, transactional
from app.people import phones, sign_in
from app.people.models import Person, Phone
from app.rentals import access, book, quote, readiness, unlock
from app.rentals.models import Command, Rental
from app.rentals.readiness import Asked
from tests import factories
from tests.coverage import factories as insured

PASSWORD = "correct horse battery"
NOW: dict[str, Any] = {
    "locked": True,
    "drivable": False,
    "door_fl": False,
    "door_fr": False,
    "door_rl": False,
    "door_rr": False,
    "trunk": False,
    "keys_in_glove_box": True,
    "charge_percent": 80,
    "odometer_km": 1200.0,
    "plugged": False,
    "latitude": 48.8566,
    "longitude": 2.3522,
}


@dataclass
class Scene:
    """Who and what a rental is made of."""

    olga: Person
    max: Person
    phone: Phone
    session: str
    token: str
    community: Community
    car_id: str
    rental_id: str

    @property
    def car(self) -> Car:
        return session.get_one(Car, self.car_id)

    @property
    def rental(self) -> Rental:
        return session.get_one(Rental, self.rental_id)

    @property
    def box(self) -> Box:
        return boxes.find(self.car_id)

    def caller(self) -> Caller:
        return Caller(
            self.max.id, self.session, self.phone.id, "en", "Europe/Paris", operator=False, password_at=None
        )

    def unmet(self, step: str, **stated: Any) -> list[str]:
        """The codes of what is not met now, as the driver's phone would be told."""
        session.expire_all()
        stated = {"keys_in_glove_box": True, **stated}
        asked = Asked(self.max.id, self.phone.id, **stated)
        found = readiness.of(self.car, self.rental, step, clock.now(), asked)
        return [one.code for one in found if not one.met]

    def reads(self, **values: Any) -> None:
        """The box says this now."""
        at = z(clock.now())
        box = self.box
        box.state = {**box.state, **{name: {"value": value, "at": at} for name, value in values.items()}}
        box.last_heard_at = clock.now()
        session.commit()

    def set_state(self, state: str) -> None:
        self.rental.state = state
        session.commit()

    def unlock(self) -> Command:
        release()
        return unlock.unlock(self.caller(), self.rental_id)


@transactional
def make(hours: float = 2, **terms: Any) -> Scene:
    """The whole scene, under a new insurer's policy."""
    circle = insured.circle()
    communities.change(circle.olga.id, circle.community, {"rules": {"approval": "never"}}, lambda _: None)
    installation = str(uuid.uuid4())
    phone = phones.add(circle.max.id, {"installation": installation, "platform": "android"})
    tokens = sign_in.sign_in(circle.max.email, PASSWORD, installation, None)
    pin = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
    boxes.put(circle.olga.id, circle.car.id, pin)
    now = clock.now()
    asked = {"car": circle.car.id, "from_": now, "to": now + timedelta(hours=hours)}
    quoted = quote.quote(circle.max.id, asked)
    booked = book.book(circle.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    made = Scene(
        circle.olga,
        circle.max,
        phone,
        tokens["session"],
        tokens["access_token"],
        circle.community_row(),
        circle.car.id,
        booked.id,
    )
    made.reads(**NOW)
    return made


def other_rental(scene: Scene) -> Rental:
    """Another rental of the same driver, in another car."""
    car = factories.shared(scene.olga, scene.community)
    pin = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
    boxes.put(scene.olga.id, car.id, pin)
    now = clock.now()
    quoted = quote.quote(scene.max.id, {"car": car.id, "from_": now, "to": now + timedelta(hours=1)})
    made = book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    return access.may_see(made.id, scene.max.id)
