"""Insurers, their policies and clients, and trips to insure, made through the use cases."""

import copy
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app import sealer
from app.cars import access, custody
from app.cars.models import Car
from app.communities.models import Community
from app.coverage import cover, master_policies, partners
from app.coverage.models import Client, Cover, InsurerRow, Policy
from app.coverage.trip import Trip
from app.kit import clock
from app.kit.db import new_id, release, session, transactional
from app.people import conditions, sign_in
from app.people.models import Person
from tests import factories

_numbers = itertools.count(1)
POLICY: dict[str, Any] = {
    "number": "FR-2026-1",
    "version": 1,
    "insurer": {"name": "Exemple Assurances", "address": "1 rue de la Paix, 75002 Paris"},
    "policyholder": "Glovebox SAS",
    "countries": ["FR"],
    "territory": ["FR", "BE", "DE"],
    "currency": "EUR",
    "valid_from": "2026-01-01T00:00:00+01:00",
    "valid_to": "2090-01-01T00:00:00+01:00",
    "min_driver_age": 21,
    "min_licence_years": 2,
    "licence_classes": ["B"],
    "clearance": "owner",
    "max_declared_value": 5_000_000,
    "needs_immobiliser": False,
    "needs_valid_inspection": True,
    "late": {"rule": "stop"},
    "mode": "delegated",
    "max_open_unacknowledged": 1000,
    "max_unacknowledged_age_hours": 72,
    "max_rental_days": 30,
    "max_named_drivers": 2,
    "premium": {"per": "hour", "amount": 150, "day_cap": 900},
    "conditions": ["insurance-2026-1"],
}


def insurer(name: str = "Ines") -> InsurerRow:
    return partners.add_insurer(f"{name} {uuid.uuid4().hex[:8]}")


def policy(of: InsurerRow | None = None, **changes: Any) -> Policy:
    """A policy in force in France, of a new insurer unless one is named."""
    alone = {"max_named_drivers": 0} if changes.get("mode") == "confirm_first" else {}
    number = {"number": f"FR-{next(_numbers)}-{uuid.uuid4().hex[:6]}"}
    body = copy.deepcopy(POLICY) | number | alone | changes
    added = master_policies.add((of or insurer()).id, body)
    return master_policies.activate(added.id, by="test")


def client(of: str, *scopes: str) -> tuple[Client, str]:
    made, secret = partners.add_client(of, label="test", scopes=list(scopes or ("coverage:read",)))
    assert secret is not None
    return made, secret


@dataclass
class Circle:
    """Olga's car, shared with Max, who may be insured in it."""

    car: Car
    community: str
    olga: Person
    max: Person
    policy: Policy

    def community_row(self) -> Community:
        found = session.get(Community, self.community)
        assert found is not None
        return found

    def trip(self, hours: float = 4, **changes: Any) -> Trip:
        now = clock.now()
        values: dict[str, Any] = {
            "rental": new_id("ren"),
            "car": self.car,
            "driver": self.max.id,
            "community": self.community,
            "from_at": now,
            "to_at": now + timedelta(hours=hours),
        }
        return Trip(**values | changes)


@transactional
def circle(
    *, licensed: bool = True, accepted: bool = True, car: dict[str, Any] | None = None, **terms: Any
) -> Circle:
    """The whole cast, under a new insurer's policy."""
    olga, driver = factories.person("Olga Owner"), factories.person("Max Member")
    community = factories.circle(olga, driver)
    shared = factories.shared(olga, community, **(car or {}))
    if licensed:
        factories.licensed(driver, olga, community)
    if accepted:
        conditions.accept(driver.id, ["insurance-2026-1"])
    return Circle(shared, community.id, olga, driver, policy(**terms))


def bind(trip: Trip, at: datetime | None = None) -> Cover:
    """As an unlock does it: the car row locked, the instant after its last."""

    @transactional
    def work() -> Cover:
        car = access.of(trip.car.id, lock=True)
        return cover.bind(replace(trip, car=car), at or custody.next_instant(car))

    return work()


def doing(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """One step in a transaction of its own."""
    return transactional(work)(*args, **kwargs)


def ended(circle: Circle, *, minutes: int = 90, hours: float = 4, **changes: Any) -> Cover:
    """A cover bound, active and closed, in the past: business time has moved on behind it."""
    trip = circle.trip(hours, **changes)
    bound = bind(trip)
    begin = bound.from_at
    doing(cover.activate, trip.rental, begin + timedelta(seconds=5), odometer_km=1200)
    clock.forward(timedelta(minutes=minutes + 5))
    closed: Cover = doing(cover.close, trip.rental, begin + timedelta(minutes=minutes), evidence="box")
    return closed


def seal() -> None:
    """Give every fact its position, as the sealer of a worker does."""
    release()
    while sealer.seal():
        pass


def bearer(http: Any, made: tuple[Client, str], **form: str) -> dict[str, str]:
    """The Authorization header of a client, through the token endpoint."""
    answer = http.post(
        "/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_id": made[0].id,
            "client_secret": made[1],
            **form,
        },
    )
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def signed_in(person: Person) -> dict[str, str]:
    """The Authorization header of a person."""
    tokens = sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
    return {"Authorization": f"Bearer {tokens['access_token']}"}
