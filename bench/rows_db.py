"""Rows against the database: our code beside raw psycopg, the same statements on the same tables, taking turns."""

import random
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
from flask import Flask

from app.billing import statement
from app.cars import access as cars_access
from app.cars import find, occupancy
from app.coverage import coverage_at, sealed
from app.kit.db import bare, dispose, transactional, uuid7
from bench.earned import earnings
from bench.seed import Seeded
from bench.turns import Row, compared
from payments.share_tables import UNSTATED

INSURER = "ins"


def rows(app: Flask, seeded: Seeded) -> list[Row]:
    """booking, search, coverage and statement."""
    with app.app_context(), psycopg.connect(seeded.dsn, autocommit=True) as raw:
        found = [_booking(raw, seeded), _search(raw, seeded), _coverage(raw, seeded), _statement(raw, seeded)]
        dispose()
    return found


def _booking(raw: psycopg.Connection[Any], seeded: Seeded) -> Row:
    """Take a slot: our occupancy with its buffer and refusals, beside the least that is right: lock the car, insert, commit."""
    start = seeded.now + timedelta(days=390)
    counter = iter(range(10**9))

    @transactional
    def take() -> None:
        n = next(counter)
        car_id, _, _ = seeded.cars[n % len(seeded.cars)]
        car = cars_access.of(car_id, lock=True)
        at = start + timedelta(minutes=30 * (n // len(seeded.cars)))
        occupancy.occupy_rental(
            car, f"ren_{uuid7().hex}", at, at + timedelta(minutes=20), timedelta(minutes=5)
        )

    raw_counter = iter(range(10**9))

    def by_hand() -> None:
        n = next(raw_counter)
        car_id, no, _ = seeded.cars[n % len(seeded.cars)]
        at = start + timedelta(days=400, minutes=30 * (n // len(seeded.cars)))
        with raw.transaction():
            raw.execute("select no from cars where id = %s for update", (bare(car_id, "car"),))
            raw.execute(
                "insert into occupancy (car_no, kind, ref, from_at, to_at) values (%s::int, 'rental', %s, %s, %s)",
                (no, f"ren_{uuid7().hex}", at, at + timedelta(minutes=20)),
            )

    return compared(seeded.scale, "booking", take, by_hand)


def _span(seeded: Seeded) -> tuple[datetime, datetime]:
    begins = seeded.now + timedelta(days=random.randint(1, 60), hours=random.randint(0, 23))
    return begins, begins + timedelta(hours=3)


def _search(raw: psycopg.Connection[Any], seeded: Seeded) -> Row:
    """Free cars of a city community for a span, the first 50."""
    person = seeded.members[0][0]
    statement = re.sub(r"(?<!:):([a-z_]+)\b", r"%(\1)s", find.sql(free=True))

    def ours() -> None:
        a, b = _span(seeded)
        find.find(person, {"limit": 50, "free_from": a, "free_to": b})

    def by_hand() -> None:
        a, b = _span(seeded)
        raw.execute(statement, find.values(person, {"limit": 51, "free_from": a, "free_to": b})).fetchall()

    return compared(seeded.scale, "search", ours, by_hand)


def coverage_values(seeded: Seeded) -> dict[str, Any]:
    """Some car at some instant of the past."""
    _, _, plate = random.choice(seeded.cars)
    back = 180 * seeded.scale.rentals // len(seeded.cars)
    at = seeded.past - timedelta(minutes=random.randint(1, back))
    return {"country": "FR", "plate": plate, "at": at}


def _coverage(raw: psycopg.Connection[Any], seeded: Seeded) -> Row:
    """Was this plate covered at this instant, as sealed."""
    statement = coverage_at._QUERY.format(which=coverage_at._BY_PLATE)  # noqa: SLF001
    for name in ("country", "plate", "at", "insurer", "position"):
        statement = statement.replace(f":{name}", f"%({name})s")
    insurer: uuid.UUID = bare(seeded.insurer, INSURER)
    head = sealed.head(None).position

    def ours() -> None:
        values = coverage_values(seeded)
        coverage_at.ask(seeded.insurer, at=values["at"], plate=values["plate"], country="FR")

    def by_hand() -> None:
        raw.execute(statement, {**coverage_values(seeded), "insurer": insurer, "position": head}).fetchall()

    return compared(seeded.scale, "coverage", ours, by_hand)


def _statement(raw: psycopg.Connection[Any], seeded: Seeded) -> Row:
    """An owner's month of 5,000 rentals as JSON, beside the same three questions asked raw."""
    month = earnings(raw, seeded)
    begin, end = statement.month_of(month, "Europe/Paris")
    asked = [
        re.sub(r"(?<!:):([a-z]+)\b", r"%(\1)s", str(one))
        for one in (statement._BEFORE, statement._ENTRIES, statement._PAYMENTS)  # noqa: SLF001
    ]
    person = bare(seeded.owner, "per")
    values: dict[str, Any] = {"person": person, "begin": begin, "end": end, "unstated": UNSTATED.vat_rate}
    values["subjects"] = [seeded.owner, seeded.community]

    def by_hand() -> None:
        for one in asked:
            raw.execute(one, values).fetchall()

    return compared(seeded.scale, "statement", _as_json(seeded.owner, month), by_hand)


def _as_json(owner: str, month: str) -> Callable[[], bytes]:
    return lambda: orjson.dumps(statement.of(owner, month, "Europe/Paris"))
