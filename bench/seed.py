"""The place that is measured: an owner, members, cars on terms, past rentals with their covers and facts, quotes."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.cars import terms
from app.demo import POLICY
from app.kit import auth
from app.kit.db import new_id, uuid7
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.scale import FULL, Scale
from payments.pricing import estimate
from payments.tariff import Fare

TERMS: dict[str, Any] = {
    **terms.DEFAULTS,
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
}

DATA: dict[str, Any] = {
    "version": 1,
    "state": "closed",
    "certificate": "crt_" + "0" * 32,
    "insurer": "Exemple Assurances",
    "driver_ref": "drv",
    "liability": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T02:00:00.000Z"},
    "own_damage": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T02:00:00.000Z"},
    "planned": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T02:00:00.000Z"},
    "car": {"plate": "BE1", "country": "FR", "vin": "WMEBENCH000000001", "make": "smart", "model": "EQ"},
    "master_policy": {"id": "pol_" + "0" * 32, "number": "FR-BENCH", "version": 1},
    "overrun_at": None,
    "odometer_start_km": 41943,
    "odometer_end_km": 41967,
    "covered_minutes": 120,
    "charged_minutes": 120,
    "premium": {"amount": 300, "currency": "EUR"},
    "end_evidence": "box strong",
    "recorded_at": "2026-01-01T02:00:00.000Z",
}


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
        past = _past(db, scale.rentals, people, community, cars, insurer, policy, now)
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
        past,
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


def _past(
    db: psycopg.Connection[Any],
    count: int,
    people: list[tuple[uuid.UUID, uuid.UUID]],
    community: uuid.UUID,
    cars: list[tuple[uuid.UUID, int, str]],
    insurer: str,
    policy: str,
    now: datetime,
) -> datetime:
    """Rentals of two hours, one every three, going back from two days ago; each with cover, versions and facts."""
    each, first = count // len(cars), now - timedelta(days=2)
    price = estimate(
        terms.tariff(TERMS), Fare.PRICED, first, first + timedelta(hours=2), _zone(), None
    ).to_dict()
    insurer_id, policy_id = uuid.UUID(insurer[4:]), uuid.UUID(policy[4:])
    values = {
        "t": json.dumps(TERMS),
        "p": json.dumps(price),
        "com": community,
        "ins": insurer_id,
        "pol": policy_id,
        "first": first,
        "data": json.dumps(DATA),
    }
    db.execute(
        "create temp table slots (rental uuid, quote uuid, cover uuid, car uuid, no int, driver uuid, a timestamptz, b timestamptz) on commit drop"
    )
    with db.cursor().copy("copy slots from stdin") as copy:
        for n, (car, no, _) in enumerate(cars):
            for k in range(each):
                a = first - timedelta(hours=3 * (k + 1))
                driver = people[1 + (n + k) % (len(people) - 1)][0]
                copy.write_row((uuid7(), uuid7(), uuid7(), car, no, driver, a, a + timedelta(hours=2)))
    db.execute(
        "insert into quotes (id, person_id, car_id, community_id, from_at, to_at, fare, terms_version, terms, price, conditions,"
        " made_at, expires_at) select quote, driver, car, %(com)s, a, b, 'priced', 1, %(t)s, %(p)s, '[]', a, a from slots",
        values,
    )
    db.execute(
        "insert into rentals (id, car_id, car_no, community_id, driver_id, quote_id, state, from_at, to_at, fare, terms_version, terms,"
        " price, made_at, paused, started_at, ended_at, over_at, final_price) select rental, car, no, %(com)s, driver, quote, 'settled',"
        " a, b, 'priced', 1, %(t)s, %(p)s, a, false, a, b, b, %(p)s from slots",
        values,
    )
    db.execute(
        "insert into occupancy (car_no, kind, ref, from_at, to_at) select no, 'rental', 'ren_' || replace(rental::text, '-', ''), a, b from slots"
    )
    db.execute(
        "insert into covers (id, certificate_id, rental_id, car_no, car_id, insurer_id, policy_id, driver_id, driver_ref, community_id,"
        " car, currency, state, version, recorded_at, planned_from, planned_to, from_at, to_at, own_damage_to, covered_minutes,"
        " charged_minutes, premium, acknowledged_version) select cover, cover, rental, no, car, %(ins)s, %(pol)s, driver, 'drv', %(com)s,"
        " '{}', 'EUR', 'closed', 1, b, a, b, a, b, b, 120, 120, 300, 1 from slots",
        values,
    )
    db.execute(
        "with f as (insert into facts (kind, data) select 'CoverClosed', jsonb_build_object('cover', 'cov_' || replace(cover::text, '-', ''))"
        " from slots returning seq, data) insert into cover_versions (cover_id, version, kind, fact_seq, recorded_at, insurer_id, state,"
        " from_at, to_at, data) select s.cover, 1, 'cover.closed', f.seq, s.b, %(ins)s, 'closed', s.a, s.b,"
        " %(data)s::jsonb || jsonb_build_object('id', f.data->>'cover', 'from', s.a, 'to', s.b)"
        " from f join slots s on 'cov_' || replace(s.cover::text, '-', '') = f.data->>'cover'",
        values,
    )
    return first


def _zone() -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo("Europe/Paris")


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
        price = estimate(terms.tariff(TERMS), Fare.PRICED, a, a + timedelta(hours=2), _zone(), None).to_dict()
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
                json.dumps(price),
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


__all__ = ["Seeded", "new_id", "seed"]


def earnings(db: psycopg.Connection[Any], seeded: Seeded) -> str:
    """What the owner earned in one month of a tenth of all rentals, with their receipts; returns the month."""
    at = (seeded.now - timedelta(days=45)).replace(day=15)
    values = {"owner": seeded.owner, "at": at, "many": seeded.scale.rentals // 10}
    with db.transaction():
        db.execute(
            "create temporary table earned on commit drop as select gen_random_uuid() as rental, n from"
            " generate_series(1, %(many)s) n",
            values,
        )
        db.execute(
            "insert into ledger_entries (kind, source_type, source_id, rental_id, at)"
            " select 'capture', 'bench', rental::text, rental, %(at)s + n * interval '1 second' from earned",
            values,
        )
        db.execute(
            "insert into postings (entry_id, account, subject, amount, currency)"
            " select e.id, p.account, case when p.account = 'owner_payable' then %(owner)s end, p.amount, 'EUR'"
            " from ledger_entries e join earned on e.rental_id = earned.rental, (values ('stripe_clearing', 2700),"
            " ('owner_payable', -2025), ('premium_reserve', -270), ('platform_revenue', -337), ('vat_payable', -68))"
            " as p (account, amount)",
            values,
        )
        db.execute(
            "insert into document_series (name, last, last_at, head) values ('BENCH', %(many)s, %(at)s, '')",
            values,
        )
        db.execute(
            "insert into documents (id, series, no, kind, rental_id, part, amount, currency, payload, hash, issued_at)"
            " select gen_random_uuid(), 'BENCH', n, 'receipt', rental, 'price', 2700, 'EUR', '{\"car\": \"smart EQ fortwo\"}',"
            " '', %(at)s from earned",
            values,
        )
    for table in ("ledger_entries", "postings", "documents"):
        db.execute(f"vacuum analyze {table}")
    return f"{at:%Y-%m}"
