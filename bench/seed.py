"""The place that is measured: an owner, members, cars on terms, past rentals with their covers and facts, quotes."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.demo import POLICY
from app.kit import auth
from app.kit.db import uuid7
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.prices import TERMS, price
from bench.scale import FULL, Scale
from bench.seed_past import past


@dataclass(slots=True)
class Seeded:
    """What the measurements use; `url` is the server they ask."""

    url: str
    scale: Scale
    now: datetime
    dsn: str
    owner: str
    owner_token: str
    members: list[tuple[str, str, str]]
    community: str
    cars: list[tuple[str, int, str]]
    quotes: list[tuple[str, int]]
    insurer_token: str
    insurer: str
    past: datetime


def seed(place: Supervisor, scale: Scale = FULL, url: str = "") -> Seeded:
    """Write it with SQL: through the API it would take an hour. `url`: the server to measure, when not the place's own."""
    dsn = conninfo(place.database_url)
    insurer, policy, client = insured(place, dsn)
    now = datetime.fromisoformat(place.flask("clock", "show").strip())
    now = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with psycopg.connect(dsn, autocommit=False) as db:
        people = _people(db, scale.members, now)
        community = _community(db, people, now)
        cars = _cars(db, scale.cars, people[0], community, now)
        since = past(db, scale.rentals, people, community, cars, insurer, policy, now)
        quotes = _quotes(db, scale.slots, people[1:], community, cars, now)
        db.commit()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("vacuum analyze")
    with place.application().app_context():
        tokens = [
            (f"per_{p.hex}", auth.person_token(f"per_{p.hex}", f"ses_{s.hex}", None), f"ses_{s.hex}")
            for p, s in people
        ]
    return Seeded(
        url or place.url,
        scale,
        now,
        dsn,
        tokens[0][0],
        tokens[0][1],
        tokens[1:],
        f"com_{community.hex}",
        [(f"car_{car.hex}", no, plate) for car, no, plate in cars],
        quotes,
        _partner_token(place, client, insurer),
        insurer,
        since,
    )


def insured(place: Supervisor, dsn: str) -> tuple[str, str, dict[str, Any]]:
    """An insurer with a policy and a client; the policy is put in force where none is."""
    reason = ("--reason", "bench")
    insurer = json.loads(place.flask("operator", "insurer", "add", "Bench Assurances", *reason))["insurer"]
    file = place.folder / "policy.json"
    file.write_text(json.dumps({**POLICY, "number": "FR-BENCH"}), "utf-8")
    policy = json.loads(place.flask("operator", "policy", "add", insurer, str(file), *reason))["policy"]
    with psycopg.connect(dsn) as db:
        known = db.execute("select 1 from policies_in_force where country = 'FR' and to_at > business_now()")
        if known.fetchone() is None:
            place.flask("operator", "policy", "activate", policy, *reason)
    scope = ("--scope", "coverage:read")
    made = place.flask("operator", "insurer", "client", insurer, "--label", "bench", *scope, *reason)
    return insurer, policy, json.loads(made)


def _partner_token(place: Supervisor, client: dict[str, Any], insurer: str) -> str:
    with place.application().app_context():
        return auth.partner_token(
            client["client_id"], insurer, frozenset({"coverage:read"}), uuid.uuid4().hex, timedelta(hours=2)
        )


def _people(db: psycopg.Connection[Any], members: int, now: datetime) -> list[tuple[uuid.UUID, uuid.UUID]]:
    made = [(uuid7(), uuid7()) for _ in range(members + 1)]
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into people (id, name, email, email_key, email_confirmed_at, password_hash, language, country, time_zone,"
            " birth_date, operator, made_at) values (%s, %s, %s, %s, %s, '-', 'en', 'FR', 'Europe/Paris', '1990-04-02', false, %s)",
            [
                (p, f"Member {n}", f"m{n}@bench.example", f"m{n}@bench.example", now, now)
                for n, (p, _) in enumerate(made)
            ],
        )
        cursor.executemany(
            "insert into sessions (id, person_id, installation, made_at, seen_at, password_at) values (%s, %s, %s, %s, %s, %s)",
            [(s, p, str(uuid.uuid4()), now, now, now) for p, s in made],
        )
        cursor.executemany(
            "insert into licences (person_id, number_sealed, number_end, country, classes, birth_date, issued_on, expires_on,"
            " recorded_at) values (%s, ''::bytea, '000', 'FR', '[\"B\"]', '1990-04-02', '2010-01-01', '2040-01-01', %s)",
            [(p, now) for p, _ in made],
        )
        versions = ("rental-2026-1", "insurance-2026-1")
        cursor.executemany(
            "insert into acceptances (person_id, version, accepted_at) values (%s, %s, %s)",
            [(p, version, now) for p, _ in made for version in versions],
        )
        cursor.executemany(
            "insert into cards (id, person_id, state, setup_id, external_id, brand, last4, exp_month, exp_year, country, made_at,"
            " saved_at) values (%s, %s, 'saved', %s, %s, 'visa', '4242', 12, 2040, 'FR', %s, %s)",
            [(uuid7(), p, f"seti_{p.hex}", f"pm_{p.hex}", now, now) for p, _ in made],
        )
        cursor.executemany(
            "insert into customers (person_id, key, external_id, made_at) values (%s, %s, %s, %s)",
            [(p, f"customer:{p}", f"cus_{p.hex}", now) for p, _ in made],
        )
    return made


def _community(
    db: psycopg.Connection[Any], people: list[tuple[uuid.UUID, uuid.UUID]], now: datetime
) -> uuid.UUID:
    community = uuid7()
    db.execute(
        "insert into communities (id, name, kind, rules, made_by, made_at) values (%s, 'Bench', 'pool', %s, %s, %s)",
        (community, json.dumps({"approval": "never", "days_ahead": 365}), people[0][0], now),
    )
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into memberships (id, community_id, person_id, role, fare, blocked, made_at) values (%s, %s, %s, %s, 'priced', false, %s)",
            [
                (uuid7(), community, p, "owner" if n == 0 else "driver", now)
                for n, (p, _) in enumerate(people)
            ],
        )
    return community


def _cars(
    db: psycopg.Connection[Any],
    count: int,
    owner: tuple[uuid.UUID, uuid.UUID],
    community: uuid.UUID,
    now: datetime,
) -> list[tuple[uuid.UUID, int, str]]:
    cars = []
    whole = f"{{[{(now - timedelta(days=2)).isoformat()},{(now + timedelta(days=400)).isoformat()})}}"
    for n in range(count):
        car, plate = uuid7(), f"BE{n:05d}"
        no = db.execute(
            "insert into cars (id, owner_id, plate, vin, make, model, powertrain, seats, country, time_zone, home_lat, home_lon,"
            " home_label, blur_lat, blur_lon, unsafe, barred, made_at, first_registration, inspection_until, declared_value) values"
            " (%s, %s, %s, %s, 'smart', 'EQ', 'electric', 2, 'FR', 'Europe/Paris', %s, 2.35, '', 0.1, 0.1, false, false, %s,"
            " '2024-01-01', '2040-01-01', '{\"amount\": 1500000, \"currency\": \"EUR\"}') returning no",
            (car, owner[0], plate, f"WMEBENCH{n:09d}", 48.8 + n / 2000, now),
        ).fetchone()[0]  # type: ignore[index]
        db.execute(
            "insert into plates (car_no, country, normalised, from_at) values (%s, 'FR', %s, %s)",
            (no, plate, now - timedelta(days=900)),
        )
        db.execute(
            "insert into car_shares (car_id, community_id, shared_at) values (%s, %s, %s)",
            (car, community, now),
        )
        db.execute(
            "insert into terms (car_id, community_id, version, data, made_by, made_at) values (%s, %s, 1, %s, %s, %s)",
            (car, community, json.dumps(TERMS), owner[0], now),
        )
        db.execute(
            "insert into offers (car_no, spans, until) values (%s, %s, %s)",
            (no, whole, now + timedelta(days=400)),
        )
        db.execute(
            "insert into custody (car_no, holder, person_id, from_at) values (%s, 'owner', %s, %s)",
            (no, owner[0], now - timedelta(days=900)),
        )
        db.execute(
            "insert into boxes (id, car_id, kind, username, vehicle, password_hash, has_immobiliser, key_sensor, config, connected,"
            " state, capabilities, told_charge_low, told_offline, made_at, last_heard_at, loaded_at) values"
            " (%s, %s, 'simulator', %s, 'v', '$7$1$AA==$AA==', true, true, '{}', true, '{}', '{}', false, false, %s, %s, %s)",
            (uuid7(), car, f"bench-{n}", now, now, now),
        )
        cars.append((car, no, plate))
    return cars


def _quotes(
    db: psycopg.Connection[Any],
    count: int,
    members: list[tuple[uuid.UUID, uuid.UUID]],
    community: uuid.UUID,
    cars: list[tuple[uuid.UUID, int, str]],
    now: datetime,
) -> list[tuple[str, int]]:
    """Quotes for distinct slots from the day after tomorrow on; the number is the member's who holds it."""
    made, rows = [], []
    for n in range(count):
        car, _, _ = cars[n % len(cars)]
        a = now + timedelta(days=2, hours=3 * (n // len(cars)))
        cost = price(a, a + timedelta(hours=2))
        who, quote = n % len(members), uuid7()
        rows.append(
            (
                quote,
                members[who][0],
                car,
                community,
                a,
                a + timedelta(hours=2),
                json.dumps(TERMS),
                json.dumps(cost),
                json.dumps(["rental-2026-1", "insurance-2026-1"]),
                now,
                now + timedelta(hours=6),
            )
        )
        made.append((f"quo_{quote.hex}", who))
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into quotes (id, person_id, car_id, community_id, from_at, to_at, fare, terms_version, terms, price, conditions,"
            " made_at, expires_at) values (%s, %s, %s, %s, %s, %s, 'priced', 1, %s, %s, %s, %s, %s)",
            rows,
        )
    return made
