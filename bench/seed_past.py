"""What lies behind the place that is measured: past rentals with their covers and facts."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg

from app.kit.db import uuid7
from bench.bulk import copied
from bench.prices import TERMS, price

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


def past(
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
    insurer_id, policy_id = uuid.UUID(insurer[4:]), uuid.UUID(policy[4:])
    values = {
        "t": json.dumps(TERMS),
        "p": json.dumps(price(first, first + timedelta(hours=2))),
        "com": community,
        "ins": insurer_id,
        "pol": policy_id,
        "first": first,
        "data": json.dumps(DATA),
    }
    db.execute(
        "create temp table slots (rental uuid, quote uuid, cover uuid, car uuid, no int, driver uuid, a timestamptz, b timestamptz) on commit drop"
    )
    copied(db, "slots", "rental, quote, cover, car, no, driver, a, b", _slots(people, cars, each, first))
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


def _slots(
    people: Sequence[tuple[uuid.UUID, uuid.UUID]],
    cars: Sequence[tuple[uuid.UUID, int, str]],
    each: int,
    first: datetime,
) -> Iterator[tuple[Any, ...]]:
    for n, (car, no, _) in enumerate(cars):
        for k in range(each):
            a = first - timedelta(hours=3 * (k + 1))
            driver = people[1 + (n + k) % (len(people) - 1)][0]
            yield uuid7(), uuid7(), uuid7(), car, no, driver, a, a + timedelta(hours=2)
