"""Olga lends her car to Max at a price or at cost: quotes and bookings over HTTP, with Stripe's double behind them."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.billing import capture
from app.cars import add, terms
from app.cars import box as boxes
from app.cars.models import Car
from app.communities import make as communities
from app.communities.models import Membership
from app.facts import RentalEnded
from app.kit import clock
from app.kit.auth import Caller
from app.kit.clock import z
from app.kit.db import release, session, transactional
from app.people import phones, sign_in
from app.people.models import Person
from app.rentals import access, settle, unlock, unlock_answered
from app.rentals import end as ending
from app.rentals.models import Command, Rental
from tests.billing.desk import Desk
from tests.coverage import factories as insured
from tests.rentals.scene import NOW, PASSWORD

PRICED: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 10,
    "per_km": 30,
    "per_kwh": 40,
}
AT_COST: dict[str, Any] = {"currency": "EUR", "per_km": 30}


@dataclass
class Lending:
    """Who lends what to whom, and the till."""

    desk: Desk
    olga: Person
    max: Person
    car_id: str
    community: str
    caller: Caller
    headers: dict[str, str]
    owners: dict[str, str]

    @property
    def car(self) -> Car:
        session.expire_all()
        return session.get_one(Car, self.car_id)

    def rental(self, rental: str) -> Rental:
        session.expire_all()
        return session.get_one(Rental, rental)

    def reads(self, **values: Any) -> None:
        """The box says this now."""
        box, at = boxes.find(self.car_id), z(clock.now())
        box.state = {**box.state, **{name: {"value": value, "at": at} for name, value in values.items()}}
        box.last_heard_at = clock.now()
        session.commit()

    def states(self, yearly_cost: int | None, currency: str = "EUR") -> None:
        stated = {"amount": yearly_cost, "currency": currency} if yearly_cost is not None else None
        add.change(self.olga.id, self.car_id, {"yearly_cost": stated}, lambda _: None)

    def _ask(self, method: str, path: str, headers: dict[str, str], status: int, **more: Any) -> Any:
        release()
        answer = self.desk.app.test_client().open(path, method=method, headers=headers, **more)
        assert answer.status_code == status, answer.text
        return answer.json

    def quote(
        self, *, hours: float = 2, km: int | None = None, begins: datetime | None = None, **body: Any
    ) -> Any:
        begins = begins or clock.now()
        asked = {"car": self.car_id, "from": z(begins), "to": z(begins + timedelta(hours=hours)), **body}
        asked |= {"expected_km": km} if km is not None else {}
        return self._ask("POST", "/v1/quotes", self.headers, 201, json=asked)

    def book(self, quote: Any) -> str:
        headers = {**self.headers, "Idempotency-Key": uuid.uuid4().hex}
        accept = [one["version"] for one in quote["conditions"]]
        body = {"quote": quote["id"], "accept": accept}
        made: str = self._ask("POST", "/v1/rentals", headers, 201, json=body)["id"]
        assert self.desk.jobs() == []
        return made

    def shown(self, rental: str) -> Any:
        return self._ask("GET", f"/v1/rentals/{rental}", self.headers, 200)

    def receipt(self, rental: str) -> Any:
        return self._ask("GET", f"/v1/rentals/{rental}/receipt", self.headers, 200)

    def earnings(self, **query: Any) -> Any:
        path = f"/v1/cars/{self.car_id}/earnings"
        return self._ask("GET", path, self.owners, 200, query_string=query)

    def unlock(self, rental: str) -> None:
        """The doors open by the box's word."""
        release()
        command = unlock.unlock(self.caller, rental).id

        def work() -> None:
            car, found = access.locked(rental)
            settle.settle(session.get_one(Command, command), "confirmed")
            unlock_answered.open_doors(car, found, command)

        insured.doing(work)

    def end(
        self, rental: str, *, km: float = 0, charge: float | None = None, evidence: str = "box strong"
    ) -> Any:
        """Driven so far, and locked with this charge; the rental as its driver then sees it."""
        odometer = float(boxes.find(self.car_id).state["odometer_km"]["value"])
        self.reads(odometer_km=odometer + km, **({"charge_percent": charge} if charge is not None else {}))

        def work() -> None:
            car, found = access.locked(rental)
            ending.end(car, found, by="driver", evidence=evidence)

        insured.doing(work)
        self.take(rental)
        return self.shown(rental)

    def take(self, rental: str) -> None:
        """What follows from the end, as the worker does it."""
        found = self.rental(rental)
        assert found.final_price is not None
        total = found.final_price["total"]
        told = RentalEnded(rental, clock.now(), total["amount"], total["currency"], "box")
        transactional(capture.on_ended)(told)
        release()
        assert self.desk.jobs() == []

    def lend(self, *, km: float, hours: float = 2, charge: float | None = None) -> Any:
        """A whole rental, as its driver sees it afterwards."""
        rental = self.book(self.quote(hours=hours, km=int(km)))
        self.unlock(rental)
        return self.end(rental, km=km, charge=charge)


def build(
    desk: Desk,
    price: dict[str, Any],
    *,
    fare: str = "priced",
    insured_in: str = "FR",
    policy: dict[str, Any] | None = None,
    **car: Any,
) -> Lending:
    """The whole scene; the car's box says how full it is, how far that takes it, and what its battery holds."""
    policy = dict(policy or {})
    if insured_in != "FR":
        policy |= {"countries": [insured_in], "territory": [insured_in, "FR"]}
    currency = {"currency": price["currency"]} if insured_in != "FR" else {}
    circle = insured.circle(car=car, **policy, **currency)
    communities.change(circle.olga.id, circle.community, {"rules": {"approval": "never"}}, lambda _: None)
    terms.put(circle.olga.id, circle.car.id, circle.community, price)
    membership = (
        session.query(Membership).filter_by(community_id=circle.community, person_id=circle.max.id).one()
    )
    membership.fare = fare
    session.commit()
    box = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
    boxes.put(circle.olga.id, circle.car.id, box)
    desk.save_card(circle.max.id)
    installation = str(uuid.uuid4())
    phone = phones.add(circle.max.id, {"installation": installation, "platform": "android"})
    signed = sign_in.sign_in(circle.max.email, PASSWORD, installation, None)
    owner = sign_in.sign_in(circle.olga.email, PASSWORD, str(uuid.uuid4()), None)
    caller = Caller(
        circle.max.id, signed["session"], phone.id, "en", "Europe/Paris", operator=False, password_at=None
    )
    headers, owners = ({"Authorization": f"Bearer {one['access_token']}"} for one in (signed, owner))
    made = Lending(desk, circle.olga, circle.max, circle.car.id, circle.community, caller, headers, owners)
    made.reads(**NOW, range_km=100, capacity_kwh=17.6)
    return made
