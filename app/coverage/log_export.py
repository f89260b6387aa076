"""The whole log as a file: facts, the versions and entries they bind, and signed heads, in the order of positions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import text

from app.cars.models import CAR
from app.coverage import log_head
from app.kit.clock import z
from app.kit.db import public, session

_LINES = text(
    "select f.position, f.seq, f.kind, f.data::text as data, f.at, f.recorded_at, f.chain, x.data as cover, k.data as claim,"
    " x.version as told_version, x.state as told_state, x.from_at as told_from, x.to_at as told_to,"
    " x.recorded_at as told_at,"
    " c.sequence, c.holder, c.person_id, c.rental_id, c.from_at, c.to_at, c.recorded_at as known_at, r.id as car, h.signed"
    " from facts f left join cover_versions x on x.fact_seq = f.seq left join claim_versions k on k.fact_seq = f.seq"
    " left join custody_entries c on c.fact_seq = f.seq left join cars r on r.no = c.car_no"
    " left join log_heads h on h.last = f.position"
    " where f.position > cast(:after as bigint) order by f.position"
)
_BATCH = 2000


def lines(after: int = 0) -> Iterator[str]:
    """One JSON object a line, as `insurance/verify_log.py` says, of what comes after a position; read in batches."""
    for row in session.execute(_LINES, {"after": after}, execution_options={"yield_per": _BATCH}):
        yield _line(fact=log_head.entry(row))
        if row.cover is not None and "digest" in orjson.loads(row.data):
            yield _line(cover={"position": row.position, "version": _told(row)})
        if row.claim is not None:
            yield _line(claim={"position": row.position, "version": row.claim})
        if row.sequence is not None:
            yield _line(custody={"position": row.position, "version": _entry(row)})
        if row.signed is not None:
            yield _line(head=row.signed)


def _told(row: Any) -> dict[str, Any]:
    """As its columns say it, too: by them questions are answered, and where one differs the digest does not fit."""
    said = {"version": row.told_version, "state": row.told_state}
    said |= {"from": z(row.told_from), "recorded_at": z(row.told_at)}
    if row.told_state != "conditional":  # whose column says when it began to be used: not yet
        said["to"] = None if row.told_to is None else z(row.told_to)
    return {**row.cover, **said}


def _entry(row: Any) -> dict[str, Any]:
    """As its fact says it."""
    return {
        "car": public(row.car, CAR),
        "sequence": row.sequence,
        "holder": row.holder,
        "person": None if row.person_id is None else public(row.person_id, "per"),
        "rental": None if row.rental_id is None else public(row.rental_id, "ren"),
        "held_from": _instant(row.from_at),
        "held_to": None if row.to_at is None else _instant(row.to_at),
        "recorded_at": _instant(row.known_at),
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _line(**what: Any) -> str:
    return orjson.dumps(what).decode() + "\n"
