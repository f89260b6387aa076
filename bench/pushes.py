"""`python -m bench.pushes [10000]`: how many pushes one worker brings to Firebase's double, many at once and one by one.

In turns, so that noise hits both; the worker is a process of its own, the double another.
"""

import multiprocessing
import os
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
import requests
from psycopg.types.json import Jsonb
from rich.console import Console

from app.kit.clock import real_now, z
from app.kit.db import dispose, public, uuid7
from app.kit.listen import conninfo
from app.messages import push_out
from app.supervisor import Supervisor
from bench.seed import _cars, _community, _people

PUSHES, ROUNDS, ONE_BY_ONE = 10_000, 5, 10
"""Of so many pushes, in so many turns, a tenth more goes one by one."""
CARS = 200
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Found:
    """Pushes a second; how many the double took of how many there were, and how many of them twice."""

    many: float
    single: float
    took_s: float
    sent: int
    arrived: int
    twice: int

    @property
    def ratio(self) -> float:
        return self.many / self.single


def measure(place: Supervisor, count: int) -> Found:
    """A place without a worker of its own."""
    turns = _turns(conninfo(place.database_url), count)
    environment = {**place.environment, **place.parts["push"].ready["environment"]}
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work, args=(environment, turns, theirs))
    process.start()
    many, single = ours.recv()
    process.join()
    control = place.parts["push"].ready["control"]
    taken = requests.get(f"{control}/pushes", timeout=60).json()["pushes"]
    names = {one["message"]["data"]["message"] for one in taken}
    sent = sum(len(batch) + len(alone) for batch, alone in turns)
    return Found(
        many=sum(len(batch) for batch, _ in turns) / many,
        single=sum(len(alone) for _, alone in turns) / single,
        took_s=many,
        sent=sent,
        arrived=len(names),
        twice=len(taken) - len(names),
    )


def _work(
    environment: dict[str, str], turns: list[tuple[list[uuid.UUID], list[uuid.UUID]]], pipe: Connection
) -> None:
    """The worker: the app with its real doors; tells the seconds for both ways."""
    os.environ.update(environment)
    from wsgi import app

    dsn, spent = conninfo(environment["DATABASE_URL"]), [0.0, 0.0]
    with app.app_context(), psycopg.connect(dsn, autocommit=True) as db:
        for turn in turns:
            for n, (waiting, batch) in enumerate(zip(turn, (push_out.BATCH, 1), strict=True)):
                db.execute("update deliveries set try_at = now() where id = any(%s)", (waiting,))
                began = time.monotonic()
                push_out.push_out(batch=batch)
                spent[n] += time.monotonic() - began
        dispose()
    pipe.send(spent)


def _turns(dsn: str, count: int) -> list[tuple[list[uuid.UUID], list[uuid.UUID]]]:
    """What is sent in each turn, many at once and one by one: to each person one, about one of the cars."""
    with psycopg.connect(dsn) as db:
        now = real_now()
        people = _people(db, count + count // ONE_BY_ONE, now)
        cars = _cars(db, CARS, people[0], _community(db, people[:2], now), now)
        rows = [_delivery(db, person, cars[n % CARS][0], n, now) for n, (person, _) in enumerate(people[1:])]
        db.commit()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("vacuum analyze")
    alone, many = rows[: count // ONE_BY_ONE], rows[count // ONE_BY_ONE :]
    return [(many[n::ROUNDS], alone[n::ROUNDS]) for n in range(ROUNDS)]


def _delivery(
    db: psycopg.Connection[Any], person: uuid.UUID, car: uuid.UUID, n: int, now: datetime
) -> uuid.UUID:
    phone, message, delivery = uuid7(), uuid7(), uuid7()
    db.execute(
        "insert into phones (id, person_id, installation, platform, push, confirmed_at, made_at, seen_at)"
        " values (%s, %s, %s, 'android', %s, %s, %s, %s)",
        (phone, person, str(phone), Jsonb({"kind": "fid", "address": f"fid-{n}"}), now, now, now),
    )
    params = {
        "car": public(car, "car"),
        "from": z(now + timedelta(hours=n % 24)),
        "to": z(now + timedelta(hours=n % 24 + 3)),
        "zone": "Europe/Paris",
    }
    db.execute(
        "insert into messages (id, person_id, fact_seq, kind, params, rental_id, urgent, made_at)"
        " values (%s, %s, %s, 'rental_booked.driver', %s, %s, false, business_now())",
        (message, person, n, Jsonb(params), uuid7()),
    )
    db.execute(
        "insert into deliveries (id, message_id, person_id, channel, phone_id, digest, state, attempts, at)"
        " values (%s, %s, %s, 'push', %s, false, 'waiting', 0, %s)",
        (delivery, message, person, phone, now),
    )
    return delivery


def main() -> int:
    console = Console(highlight=False)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PUSHES
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with Supervisor(Path(folder), mode="test", worker=False) as place:
            console.print(f"[dim]seeding {count} people with a phone and a push each …[/dim]")
            found = measure(place, count)
    console.print(
        f"{count} pushes by one worker: {found.took_s:.1f} s, {found.many:.0f} a second;"
        f" one by one {found.single:.0f} a second, ratio {found.ratio:.1f};"
        f" arrived {found.arrived} of {found.sent}, {found.twice} of them twice"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
