"""What insurers ask of millions of covers: coverage at an instant, the cursor of changes."""

import http.client
import json
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg

from app.coverage import coverage_at, insurer_reads
from app.demo_cast import inst
from app.kit import auth
from app.kit.db import bare
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench import raw
from bench.load import Call, Measured, quantile, run
from bench.scale import Scale
from bench.seed_covers import EVERY, LASTS, SCOPES, Covers, Insurer
from bench.turns import Row
from bench.where import Spent, spent

TURNS = 8
"""Short ones: what else the machine does hits ours and theirs alike."""
NOT_COUNTED = 3
PAGE = 100
YEAR, LATELY = timedelta(days=365), 0.9
# By the order in which they were written, which is that of every id and number in them.
_FIRST = "(select id from covers where car_no = (select min(no) from cars) and from_at >= %(begin)s order by from_at limit 1)"
_LATELY = (
    f"select max(driver_ref) from covers where id >= {_FIRST}",
    f"select max(kind) from cover_versions where cover_id >= {_FIRST}",
    f"select max(kind) from facts where seq >= (select fact_seq from cover_versions where cover_id = {_FIRST})",
    "select count(*) from covers where car_no >= 0 and from_at >= %(begin)s",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The place, its covers, and a token for each insurer."""

    place: Supervisor
    covers: Covers
    scale: Scale
    tokens: dict[str, str]

    @property
    def dsn(self) -> str:
        return conninfo(self.place.database_url)


def ready(place: Supervisor, covers: Covers, scale: Scale) -> Asked:
    with place.application().app_context():
        tokens = {
            one.id: auth.partner_token(
                one.client, one.id, frozenset(SCOPES), uuid.uuid4().hex, timedelta(hours=2)
            )
            for one in covers.insurers
        }
    return Asked(place, covers, scale, tokens)


# -- coverage


def _questions(covers: Covers, count: int) -> list[dict[str, Any]]:
    """Any car, nine times of ten in the last year; two of three instants lie in a cover, as where there was damage.

    Each of the car's own insurer.
    """
    made = []
    for _ in range(count):
        car = random.randrange(covers.cars)
        n = random.randrange(_last_year(covers) if random.random() < LATELY else 0, covers.each)
        at = covers.starts(car, n) + LASTS * random.random() * 1.5
        insurer = covers.insurer_of(car)
        plate = covers.plate(car, at)
        made.append({"country": insurer.country, "plate": plate, "at": at, "insurer": insurer.id})
    return made


def _last_year(covers: Covers) -> int:
    """The first of each car's covers in the last year."""
    return max(0, covers.each - int(YEAR / EVERY))


def _warm(asked: Asked) -> None:
    """The last year is in memory, as on a server that is asked all day; older covers may have to come from the disk."""
    begin = asked.covers.starts(0, _last_year(asked.covers))
    with psycopg.connect(asked.dsn, autocommit=True) as db:
        for statement in _LATELY:
            db.execute(statement, {"begin": begin}).fetchone()


def _calls(asked: Asked, questions: list[dict[str, Any]]) -> list[Call]:
    made = []
    for one in questions:
        query = f"plate={one['plate']}&country={one['country']}&at={quote(inst(one['at']))}"
        header = headers(asked.tokens[one["insurer"]])
        made.append(Call("GET", f"/v1/insurer/coverage?{query}", header))
    return made


def headers(token: str, accept: str = "application/json") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": accept}


def coverage(asked: Asked) -> Row:
    """The question over HTTP by 8 clients, and the same select by 8 connections of raw psycopg, in turns.

    The first seconds of a server that was just started do not count. Neither is asked what the other was just asked: that
    would be in memory.
    """
    _warm(asked)
    each, seconds = asked.scale.calls // TURNS, asked.scale.seconds / TURNS
    mine, theirs = [], []
    for turn in range(-NOT_COUNTED, TURNS):
        found = run(asked.place.url, _calls(asked, _questions(asked.covers, each)), seconds=seconds)
        if found.failed:
            raise RuntimeError(f"coverage_10m_http: {found.failed} requests failed")
        if turn >= 0:
            mine.append(found)
            theirs.append(_raw_coverage(asked.dsn, _questions(asked.covers, each), seconds))
    return of_turns("coverage_10m_http", mine, theirs)


def of_turns(name: str, mine: Sequence[Measured], theirs: Sequence[float]) -> Row:
    """Rates of turns of equal length; the times are those of all requests."""
    times = [took for one in mine for took in one.times]
    return row(
        name,
        sum(one.rate for one in mine) / len(mine),
        sum(theirs) / len(theirs),
        "1/s",
        quantile(times, 0.5),
        quantile(times, 0.99),
    )


def _raw_coverage(dsn: str, questions: list[dict[str, Any]], seconds: float) -> float:
    """Answers a second to the statement that the server sends, of as many connections as there are clients."""
    statement = coverage_at.BY_PLATE_NOW.text
    for name in ("country", "plate", "at", "insurer"):
        statement = statement.replace(f":{name}", f"%({name})s")
    values = [{**one, "insurer": bare(one["insurer"], "ins")} for one in questions]
    return raw.rate(dsn, lambda db, one: db.execute(statement, one).fetchall(), values, seconds)


def taken_apart(asked: Asked) -> list[Spent]:
    """Where the time of the insurer's question goes, and that of a page of changes."""
    calls = _calls(asked, _questions(asked.covers, asked.scale.looks))
    pages = [_page(asked, asked.covers.insurers[0], None)] * asked.scale.looks
    return [
        spent("coverage_10m_http", asked.place.url, calls),
        spent("changes_cursor", asked.place.url, pages),
    ]


# -- changes


def _page(asked: Asked, insurer: Insurer, cursor: str | None) -> Call:
    more = f"&cursor={cursor}" if cursor else ""
    return Call("GET", f"/v1/insurer/changes?limit={PAGE}{more}", headers(asked.tokens[insurer.id]))


def changes(asked: Asked) -> Row:
    """One walker over HTTP from page to page, and raw psycopg reading the same rows page by page, in turns."""
    insurer = asked.covers.insurers[0]
    seconds = asked.scale.seconds / TURNS
    walk, by_hand = _walk(asked, insurer), _raw_walk(asked, insurer)
    pages: list[tuple[int, float]] = []
    theirs: list[tuple[int, float]] = []
    for _ in range(TURNS):
        _for(seconds, walk, pages)
        _for(seconds, by_hand, theirs)
    mine, limit = (sum(rows for rows, _ in one) / sum(took for _, took in one) for one in (pages, theirs))
    times = [took * 1000 for _, took in pages]
    return row("changes_cursor", mine, limit, "1/s", quantile(times, 0.5), quantile(times, 0.99))


def _for(seconds: float, turns: Iterator[int], into: list[tuple[int, float]]) -> None:
    ends = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        rows = next(turns)
        into.append((rows, time.perf_counter() - began))


def _walk(asked: Asked, insurer: Insurer) -> Iterator[int]:
    """Rows of each page; from the first one again when all are read. Raises RuntimeError where order is broken."""
    parts = urlsplit(asked.place.url)
    cursor, last = None, 0
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        while True:
            call = _page(asked, insurer, cursor)
            connection.request(call.method, call.path, None, call.headers)
            answer = connection.getresponse()
            page = json.loads(answer.read())
            if answer.status != 200 or any(one["position"] <= last for one in page["items"][:1]):
                raise RuntimeError(f"changes_cursor: {answer.status}, after position {last}")
            cursor, last = page["next_cursor"], page["items"][-1]["position"] if page["items"] else last
            yield len(page["items"])
            if not page["has_more"]:
                cursor, last = None, 0


def _raw_walk(asked: Asked, insurer: Insurer) -> Iterator[int]:
    statement = str(insurer_reads._CHANGES)  # noqa: SLF001
    for name in ("after", "upto", "insurer", "most"):
        statement = statement.replace(f":{name}", f"%({name})s")
    values: dict[str, Any] = {"insurer": bare(insurer.id, "ins"), "most": PAGE}
    after = 0
    with psycopg.connect(asked.dsn, autocommit=True) as db:
        while True:
            found = db.execute(
                statement, {**values, "after": after, "upto": after + insurer_reads.WINDOW}
            ).fetchall()
            after = found[-1][-1] if found else 0
            yield len(found)


def row(name: str, ours: float, limit: float, unit: str, p50: float, p99: float) -> Row:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": round(limit, 1),
        "ratio": round(ours / limit, 3),
        "unit": unit,
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
    }
