"""The standing cast and their things, made through the use cases: Olga owns, Max is a member, Charlie a stranger."""

import itertools
import uuid
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from app.cars import add, terms, windows
from app.cars.models import Car
from app.communities import accept, invite, make
from app.communities.models import Community
from app.kit import clock
from app.kit.db import new_id, session, transactional
from app.people import licence, register
from app.people.models import PER, Person

CHEAP = PasswordHasher.from_parameters(CHEAPEST)
"""Says its cost in each hash, so that signing in costs as little."""
_hash = cache(CHEAP.hash)
_numbers = itertools.count(int(datetime.now(UTC).timestamp()) % 100_000)  # noqa: TID251
FREE: dict[str, Any] = {}
PRICED: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
    "late_fee": 1500,
    "cancellation": [{"hours_before": 24, "percent": 50}],
}


@transactional
def person(name: str = "Olga Owner", *, password: str = "correct horse battery", **values: Any) -> Person:
    """A confirmed account, as registering and confirming leave it; the tests of people tell how that goes."""
    email = f"{name.split(maxsplit=1)[0].lower()}.{uuid.uuid4().hex[:10]}@example.org"
    account = {"email": email, "language": "en", "country": "FR", **values}
    account.setdefault("time_zone", register.ZONE_OF[account["country"]])
    now = clock.real_now()
    made = Person(
        **account,
        id=new_id(PER),
        name=name,
        email_key=register.email_key(account["email"]),
        email_confirmed_at=now,
        password_hash=_hash(password),
        made_at=now,
    )
    session.add(made)
    session.flush()
    return made


def car(owner: Person, **values: Any) -> Car:
    number = next(_numbers)
    body: dict[str, Any] = {
        "plate": f"GB-{number:05d}-{uuid.uuid4().hex[:2].upper()}",
        "vin": f"WME45339{number:09d}"[:17],
        "make": "smart",
        "model": "EQ fortwo",
        "powertrain": "electric",
        "seats": 2,
        "country": "FR",
        "time_zone": "Europe/Paris",
        "home": {"lat": 48.8566, "lon": 2.3522, "label": "Place de la Mairie"},
        "first_registration": date(2024, 5, 1),
        "inspection_until": date(2090, 5, 1),
        "declared_value": {"amount": 1_500_000, "currency": "EUR"},
        **values,
    }
    return add.add(owner.id, body)


def circle(owner: Person, *members: Person, **values: Any) -> Community:
    """A community of the owner with members in it."""
    made = make.make(owner.id, {"name": "Friends", "kind": "circle", **values})
    for one in members:
        invitation = invite.invite(owner.id, made.id, {"email": one.email})
        accept.accept(one.id, invite.code_of(invitation.id))
    return made


def shared(owner: Person, community: Community, price: dict[str, Any] | None = None, **values: Any) -> Car:
    """A car of the owner, always offered to the community."""
    made = car(owner, **values)
    add.share(owner.id, made.id, community.id)
    terms.put(owner.id, made.id, community.id, price or FREE)
    always = {"from_": datetime(2026, 1, 1), "to": datetime(2026, 1, 8), "rrule": "FREQ=WEEKLY"}  # noqa: DTZ001
    windows.add(owner.id, made.id, always)
    return made


def licensed(driver: Person, by: Person, community: Community | None = None) -> None:
    """A licence, recorded and cleared."""
    licence.record(
        driver.id,
        {
            "number": "12AB34567",
            "country": "FR",
            "classes": ["B"],
            "birth_date": date(1990, 4, 2),
            "issued_on": date(2010, 5, 1),
            "expires_on": date(2090, 5, 1),
        },
    )
    licence.clear(
        driver.id,
        by=by.id,
        level="operator" if community is None else "owner",
        community=community.id if community else None,
    )
