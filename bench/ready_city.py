"""What each row of a city is asked with: people signed in, slots that are free, quotes and invitations that are open."""

import json
import random
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.communities import invite
from app.kit import auth
from app.kit.db import new_id, uuid7
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.bulk import copied
from bench.prices import TERMS, price
from bench.scale import Scale
from bench.seed_city import CAR, CIRCLE, HOURS, LASTS, MONTH, OFFERED_DAYS, PERSON, City
from payments.tariff import Fare

CONDITIONS = ("rental-2026-1", "insurance-2026-1")
SEARCHING = 500
DAYS = range(MONTH + 1, OFFERED_DAYS - 5)
"""Of the slots that rows book: no booking that was seeded lies there."""
_DRIVES = """
with someone as (select id from people where id = any(%(who)s)), licensed as (
  insert into licences (person_id, number_sealed, number_end, country, classes, birth_date, issued_on, expires_on, recorded_at)
  select id, '', '000', 'FR', '["B"]', '1990-04-02', '2010-01-01', '2040-01-01', now() from someone on conflict do nothing
), accepted as (
  insert into acceptances (person_id, version, accepted_at)
  select id, version, now() from someone, unnest(%(conditions)s::text[]) as version on conflict do nothing
), payers as (
  insert into customers (person_id, key, external_id, made_at)
  select id, 'customer:' || id, 'cus_' || id, now() from someone on conflict do nothing
)
insert into cards (id, person_id, state, setup_id, external_id, brand, last4, exp_month, exp_year, country, made_at, saved_at)
select gen_random_uuid(), id, 'saved', 'seti_' || id, 'pm_' || id, 'visa', '4242', 12, 2040, 'FR', now(), now() from someone
where not exists (select 1 from cards where person_id = someone.id)
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A car that is free for a span, by its number, and a member who may book it."""

    car: int
    begins: datetime
    driver: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The place with its city, and a token for everybody who asks, by number."""

    place: Supervisor
    city: City
    scale: Scale
    circle: list[int]
    pool: list[int]
    slots: list[Slot]
    quoted: list[tuple[Slot, str]]
    invited: list[tuple[int, str]]
    """Who may accept, and the code."""
    invited_raw: list[tuple[uuid.UUID, bytes]]
    free: list[tuple[int, datetime]]
    """Cars' numbers in the database, and when they are free."""
    tokens: dict[int, str]

    @property
    def dsn(self) -> str:
        return conninfo(self.place.database_url)


def ready(place: Supervisor, city: City, scale: Scale) -> Asked:
    """The boxes are left alone meanwhile: 20,000 that nobody has are no part of what is measured."""
    place.parts["boxlink"].stop()
    count, dsn = scale.asked, conninfo(place.database_url)
    with place.application().app_context(), psycopg.connect(dsn) as db:
        times = _free(db, city, 4 * count)
        slots = [Slot(car, at, _driver(city, car)) for car, at in times[: 2 * count]]
        invited = _invitations(db, city, 2 * count)
        circle = [_in_circle(random.randrange(city.circles)) for _ in range(SEARCHING)]
        pool = [_in_first_pool(city) for _ in range(SEARCHING)]
        _drive(db, city, {one.driver for one in slots})
        quoted = _quotes(db, city, slots[count:])
        names = {*circle, *pool, *(one.driver for one in slots), *(person for person, _, _ in invited)}
        tokens = _signed_in(db, city, names)
        db.commit()
    return Asked(
        place,
        city,
        scale,
        circle,
        pool,
        slots[:count],
        quoted,
        [(person, code) for person, code, _ in invited[:count]],
        [(city.id_of(PERSON, person), hashed) for person, _, hashed in invited[count:]],
        [(car + 1, at) for car, at in times[2 * count :]],
        tokens,
    )


def _in_circle(circle: int) -> int:
    """Any but the owner."""
    return circle * CIRCLE + random.randrange(1, CIRCLE)


def _in_first_pool(city: City) -> int:
    """Somebody of the first pool who is in no other."""
    alone = city.in_circles + city.memberships - city.people
    first = -(-(alone - city.in_circles) // city.pools) * city.pools + city.in_circles
    return random.randrange(first, city.people, city.pools)


def _driver(city: City, car: int) -> int:
    """A member of the car's community who does not own it."""
    where = city.community_of(car)
    if where >= city.pools:
        return _in_circle(where - city.pools)
    while True:
        person = random.randrange(city.in_circles + where, city.people, city.pools)
        if person != city.owner_of(car):
            return person


def _free(db: psycopg.Connection[Any], city: City, count: int) -> list[tuple[int, datetime]]:
    """Any car, any day, any hour: none twice, none that an earlier run has booked."""
    booked = {
        (no - 1, at.astimezone(UTC))
        for no, at in db.execute(
            "select car_no, from_at from occupancy where from_at >= %s", (city.slot(DAYS[0], 0),)
        )
    }
    found = []
    for n in random.sample(range(city.cars * len(DAYS) * len(HOURS)), min(2 * count, city.cars * len(DAYS))):
        car, rest = divmod(n, len(DAYS) * len(HOURS))
        day, hour = divmod(rest, len(HOURS))
        at = city.slot(DAYS[day], hour)
        if (car, at) not in booked:
            found.append((car, at))
    return found[:count]


def _invitations(db: psycopg.Connection[Any], city: City, count: int) -> list[tuple[int, str, bytes]]:
    """By turns somebody of a pool to a circle, and of a circle to a pool: who, the code, and its hash."""
    members = {
        (person, community)
        for person, community in db.execute(
            "select person_id, community_id from memberships where made_at > %s", (city.begin,)
        )
    }
    asked: dict[tuple[int, int], None] = {}
    pairs = _strangers(city)
    while len(asked) < count:
        person, where = next(pairs)
        if (city.id_of(PERSON, person), city.community(where)) not in members:
            asked[person, where] = None
    made, lines = [], []
    now = datetime.now(UTC)
    for person, where in asked:
        invitation = new_id("inv")
        code = invite.code_of(invitation)
        by = city.in_circles + where if where < city.pools else (where - city.pools) * CIRCLE
        lines.append(
            (
                uuid.UUID(invitation[4:]),
                city.community(where),
                invite.hashed(code),
                city.id_of(PERSON, by),
                now,
                now + invite.LIVES,
            )
        )
        made.append((person, code, invite.hashed(code)))
    columns = "id, community_id, code_hash, invited_by, made_at, expires_at, role, fare, uses, used"
    copied(db, "invitations", columns, ((*line, "driver", "priced", 1, 0) for line in lines))
    return made


def _strangers(city: City) -> Iterator[tuple[int, int]]:
    while True:
        yield random.randrange(city.in_circles, city.people), city.pools + random.randrange(city.circles)
        yield random.randrange(city.in_circles), random.randrange(city.pools)


def _drive(db: psycopg.Connection[Any], city: City, drivers: Collection[int]) -> None:
    """What a booking asks for: a licence, the conditions accepted, a card."""
    who = [city.id_of(PERSON, person) for person in drivers]
    db.execute(_DRIVES, {"who": who, "conditions": list(CONDITIONS)})


def _quotes(db: psycopg.Connection[Any], city: City, slots: list[Slot]) -> list[tuple[Slot, str]]:
    made, rows, now = [], [], datetime.now(UTC)
    for one in slots:
        where, quote = city.community_of(one.car), uuid7()
        fare = Fare.FREE if where >= city.pools else Fare.PRICED
        ends = one.begins + LASTS
        frozen = (json.dumps(part) for part in (TERMS, price(one.begins, ends, fare), CONDITIONS))
        ids = (quote, city.id_of(PERSON, one.driver), city.id_of(CAR, one.car), city.community(where))
        rows.append((*ids, one.begins, ends, fare.value, 1, *frozen, now, now + timedelta(hours=6)))
        made.append((one, f"quo_{quote.hex}"))
    columns = "id, person_id, car_id, community_id, from_at, to_at, fare, terms_version, terms, price, conditions, made_at, expires_at"
    copied(db, "quotes", columns, rows)
    return made


def _signed_in(db: psycopg.Connection[Any], city: City, people: Collection[int]) -> dict[int, str]:
    by_id = {city.id_of(PERSON, person): person for person in people}
    rows = db.execute(
        "insert into sessions (id, person_id, installation, made_at, seen_at, password_at)"
        " select gen_random_uuid(), id, gen_random_uuid()::text, now(), now(), now() from people where id = any(%s)"
        " returning person_id, id",
        (list(by_id),),
    )
    return {
        by_id[person]: auth.person_token(f"per_{person.hex}", f"ses_{session.hex}", None)
        for person, session in rows
    }
