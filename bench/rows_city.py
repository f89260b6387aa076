"""What people ask of a city: which cars are free, book one of them, accept an invitation."""

import functools
import json
import random
import re
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg

from app.cars import find
from app.demo_cast import inst
from app.kit.db import uuid7
from bench import raw
from bench.load import Call, run
from bench.ready_city import Asked, Slot
from bench.rows_insurer import TURNS, of_turns
from bench.seed_city import CAR, LASTS, MONTH, PERSON
from bench.turns import Row

NEAR_KM, PAGE = 5, 50
Part = tuple[list[Call], Callable[[float], float]]


def _in_turns(asked: Asked, name: str, part: Callable[[int], Part]) -> Row:
    """Ours over HTTP by 8 clients and theirs by 8 connections of raw psycopg, in turns; the first part does not count."""
    seconds = asked.scale.seconds / TURNS
    mine, theirs = [], []
    for turn in range(TURNS + 1):
        calls, peer = part(turn)
        found = run(asked.place.url, calls, seconds=seconds)
        if found.failed:
            raise RuntimeError(f"{name}: {found.failed} of {found.count} requests failed")
        if turn:
            mine.append(found)
            theirs.append(peer(seconds))
    return of_turns(name, mine, theirs)


def _nth(of: list[Any], turn: int) -> list[Any]:
    each = len(of) // (TURNS + 1)
    return of[turn * each : (turn + 1) * each]


def _headers(asked: Asked, person: int, **more: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {asked.tokens[person]}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        **more,
    }


# -- search


def search_circle(asked: Asked) -> Row:
    """A member of a family circle: one car or two."""
    return _search(asked, "search_circle", asked.circle, lambda person: asked.city.pools + person // 5)


def search_pool(asked: Asked) -> Row:
    """A member of the city pool of 323 cars."""
    return _search(asked, "search_pool", asked.pool, lambda _: 0)


def questions(asked: Asked, people: list[int], where: Callable[[int], int]) -> list[dict[str, Any]]:
    """Three hours of the month ahead, near a place in the city."""
    made = []
    for _ in range(asked.scale.calls // TURNS):
        person = random.choice(people)
        begins = asked.city.begin + timedelta(days=random.randrange(1, MONTH), hours=random.randrange(6, 18))
        near = asked.city.place(random.randrange(1000), where(person))
        made.append({"person": person, "begins": begins, "ends": begins + timedelta(hours=3), "near": near})
    return made


def _search(asked: Asked, name: str, people: list[int], where: Callable[[int], int]) -> Row:
    """Neither is asked what the other was just asked."""
    statement = raw_statement()

    def part(_: int) -> Part:
        calls = [_search_call(asked, one) for one in questions(asked, people, where)]
        values = [raw_values(asked, one) for one in questions(asked, people, where)]
        return calls, functools.partial(raw.rate, asked.dsn, functools.partial(_read, statement), values)

    return _in_turns(asked, name, part)


def _search_call(asked: Asked, one: dict[str, Any]) -> Call:
    span = f"free_from={quote(inst(one['begins']))}&free_to={quote(inst(one['ends']))}"
    near = f"near={one['near'][0]},{one['near'][1]}&radius_km={NEAR_KM}"
    return Call("GET", f"/v1/cars?{span}&{near}&limit={PAGE}", _headers(asked, one["person"]))


def raw_statement() -> str:
    return re.sub(r"(?<!:):([a-z_]+)\b", r"%(\1)s", find.sql(free=True))


def raw_values(asked: Asked, one: dict[str, Any]) -> dict[str, Any]:
    span = {"free_from": one["begins"], "free_to": one["ends"], "limit": PAGE + 1}
    person = f"per_{asked.city.id_of(PERSON, one['person']).hex}"
    return find.values(person, {"near": one["near"], "radius_km": NEAR_KM, **span})


def _read(statement: str, db: psycopg.Connection[Any], values: dict[str, Any]) -> None:
    db.execute(statement, values).fetchall()


# -- booking


def quote_and_book(asked: Asked) -> Row:
    """Ask for a quote and book it, timed as one; beside the least that is right about a slot."""

    def part(turn: int) -> Part:
        return [_quote_call(asked, one) for one in _nth(asked.slots, turn)], _taking(asked, turn, 0)

    return _in_turns(asked, "quote_and_book", part)


def book(asked: Asked) -> Row:
    """Book a quote that is there, as `booking_http` does; beside the same."""

    def part(turn: int) -> Part:
        calls = [
            _book_call(_headers(asked, one.driver), quote_id) for one, quote_id in _nth(asked.quoted, turn)
        ]
        return calls, _taking(asked, turn, 1)

    return _in_turns(asked, "book", part)


def _quote_call(asked: Asked, one: Slot) -> Call:
    car = f"car_{asked.city.id_of(CAR, one.car).hex}"
    body = json.dumps({"car": car, "from": inst(one.begins), "to": inst(one.begins + LASTS)}).encode()
    headers = _headers(asked, one.driver)

    def then(answer: bytes) -> Call:
        return _book_call(headers, json.loads(answer)["id"])

    return Call("POST", "/v1/quotes", {**headers, "Idempotency-Key": secrets.token_urlsafe(12)}, body, then)


def _book_call(headers: dict[str, str], quote_id: str) -> Call:
    once = {**headers, "Idempotency-Key": secrets.token_urlsafe(12)}
    return Call("POST", "/v1/rentals", once, json.dumps({"quote": quote_id}).encode())


def _taking(asked: Asked, turn: int, half: int) -> Callable[[float], float]:
    return functools.partial(raw.rate, asked.dsn, _take, _nth(asked.free[half::2], turn))


def _take(db: psycopg.Connection[Any], slot: tuple[int, datetime]) -> None:
    """Lock the car, insert, commit."""
    no, at = slot
    with db.transaction():
        db.execute("select no from cars where no = %s for update", (no,))
        db.execute(
            "insert into occupancy (car_no, kind, ref, from_at, to_at) values (%s, 'rental', %s, %s, %s)",
            (no, f"ren_{uuid7().hex}", at, at + LASTS),
        )


# -- invitations


def accept(asked: Asked) -> Row:
    """Accept an invitation for one; beside the least that is right: lock it, insert the membership, use it up, commit."""

    def part(turn: int) -> Part:
        calls = [
            Call(
                "POST",
                f"/v1/invitations/{code}/accept",
                _headers(asked, person, **{"Idempotency-Key": secrets.token_urlsafe(12)}),
            )
            for person, code in _nth(asked.invited, turn)
        ]
        return calls, functools.partial(raw.rate, asked.dsn, _join, _nth(asked.invited_raw, turn))

    return _in_turns(asked, "accept", part)


def _join(db: psycopg.Connection[Any], invited: tuple[uuid.UUID, bytes]) -> None:
    person, code_hash = invited
    with db.transaction():
        found = db.execute(
            "select id, community_id from invitations where code_hash = %s and used < uses for update",
            (code_hash,),
        ).fetchone()
        assert found is not None
        db.execute(
            "insert into memberships (id, community_id, person_id, role, fare, blocked, made_at)"
            " values (%s, %s, %s, 'driver', 'priced', false, now())",
            (uuid7(), found[1], person),
        )
        db.execute("update invitations set used = used + 1 where id = %s", (found[0],))


ROWS = (search_circle, search_pool, quote_and_book, book, accept)
