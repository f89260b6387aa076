"""What an insurer reads of its own covers: one, many, their versions, every change, how much is out; sealed ones alone."""

import base64
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from app.coverage import sealed
from app.coverage.models import COV, INS
from app.kit.clock import z
from app.kit.db import bare, public
from app.kit.driver import read
from app.kit.errors import NotFound, Validation
from app.kit.http import to_cursor, uncursor

WINDOW = 20_000
"""So many positions are looked through for one page of changes; dense, so the next page goes on where this ended."""
LOOKED_THROUGH = 20_000
"""So many covers are looked through for one page of those that a filter wants."""
MOVED = timedelta(days=1)

_LATEST = (
    "select x.version, x.state, x.to_at, x.data from cover_versions x join facts f on f.seq = x.fact_seq"
    " where x.cover_id = c.id and f.position <= cast(:position as bigint) order by x.version desc limit 1"
)


def _latest(statement: str) -> TextClause:
    """`{latest}` is the version of the cover `c` that was sealed last."""
    return text(statement.replace("{latest}", _LATEST))


# `{also}` is nothing, or that they are not taken note of: those are few among many, and have an index of their own.
_LIST = (
    "select c.id, c.acknowledged_version, c.acknowledged_at, s.data from covers c cross join lateral ({latest}) s"
    " where c.insurer_id = :insurer and c.id < cast(:before as uuid) and c.id >= cast(:last as uuid){also}"
    " and (cast(:state as text) is null or s.state = cast(:state as text))"
    " and (cast(:acknowledged as boolean) is null"
    " or cast(:acknowledged as boolean) = (coalesce(c.acknowledged_version, 0) >= s.version))"
    " order by c.id desc limit cast(:most as int)"
)
_FURTHEST = (
    "select c.id from covers c where c.insurer_id = :insurer and c.id < cast(:before as uuid){also}"
    " order by c.id desc offset cast(:through as int) limit 1"
)
_TO_NOTE = " and coalesce(c.acknowledged_version, 0) < c.version"


def _of_a_page(also: str) -> tuple[TextClause, TextClause]:
    return _latest(_LIST.replace("{also}", also)), text(_FURTHEST.replace("{also}", also))


ALL, UNNOTED = _of_a_page(""), _of_a_page(_TO_NOTE)
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_ONE = _latest(
    "select c.id, c.acknowledged_version, c.acknowledged_at, s.data from covers c cross join lateral ({latest}) s"
    " where c.id = :cover and c.insurer_id = :insurer"
)
_EVENTS = text(
    "select x.kind, x.data, x.recorded_at, f.position from cover_versions x join facts f on f.seq = x.fact_seq"
    " where x.cover_id = :cover and x.insurer_id = :insurer and f.position <= cast(:position as bigint)"
    " order by x.version"
)
_CHANGES = text(
    "select x.kind, x.data, x.recorded_at, f.position from facts f join cover_versions x on x.fact_seq = f.seq"
    " where f.position > cast(:after as bigint) and f.position <= cast(:upto as bigint)"
    " and x.insurer_id = :insurer order by f.position limit cast(:most as int)"
)
_EXPOSURE = _latest(
    "select c.car ->> 'country' as country, c.currency, count(*) as cars, sum(c.declared_value) as total,"
    " count(*) filter (where c.declared_value is null) as unvalued"
    " from covers c cross join lateral ({latest}) s"
    " where c.insurer_id = :insurer and (c.to_at is null or c.recorded_at >= :since) and s.to_at is null"
    " group by 1, 2 order by 1, 2"
)


_SIGNED = text(
    "select number, first, last, signed_at, signed as head from log_heads where last <= cast(:upto as bigint)"
    " order by last desc limit cast(:most as int)"
)


def find(insurer: str, cover: str, as_of: datetime | None = None) -> dict[str, Any]:
    """One cover as it was known. Raises NotFound, for another insurer's too."""
    known = sealed.head(as_of)
    rows = read(_ONE, {"cover": bare(cover, COV), "insurer": bare(insurer, INS), "position": known.position})
    if not rows:
        raise NotFound
    return _named(known, _as_read(rows[0], as_of))


def covers(
    insurer: str,
    *,
    limit: int,
    cursor: str | None,
    state: str | None,
    acknowledged: bool | None,
    as_of: datetime | None,
    through: int = LOOKED_THROUGH,
) -> dict[str, Any]:
    """A page of covers, newest first. Raises Validation: what was taken note of is known for now alone.

    Where a filter wants few of many, a page may be short, or empty, and yet have more behind it.
    """
    if acknowledged is not None and as_of is not None:
        detail = "Not with as_of: what you took note of is shown as it stands now."
        raise Validation(errors=[{"parameter": "acknowledged", "code": "invalid", "detail": detail}])
    known = sealed.head(as_of)
    page, furthest = UNNOTED if acknowledged is False else ALL
    place = {"insurer": bare(insurer, INS), "before": _before(cursor)}
    is_filtered = state is not None or acknowledged is not None
    last = next(iter(read(furthest, {**place, "through": through - 1})), None) if is_filtered else None
    values = {
        **place,
        "position": known.position,
        "last": _FIRST if last is None else last.id,
        "state": state,
        "acknowledged": acknowledged,
        "most": limit + 1,
    }
    rows = read(page, values)
    items = [_as_read(row, as_of) for row in rows[:limit]]
    reached = items[-1]["id"] if len(rows) > limit else None if last is None else public(last.id, COV)
    return _named(known, {"items": items, "next_cursor": None if reached is None else to_cursor(reached)})


def _before(cursor: str | None) -> Any:
    if cursor is None:
        return _LAST
    try:
        return bare(uncursor(cursor), COV)
    except NotFound as error:
        raise _no_cursor() from error


def events(insurer: str, cover: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Every version of a cover, oldest first. Raises NotFound."""
    known = sealed.head(as_of)
    rows = read(
        _EVENTS, {"cover": bare(cover, COV), "insurer": bare(insurer, INS), "position": known.position}
    )
    if not rows:
        raise NotFound
    return _named(known, {"items": [_change(row) for row in rows]})


def changes(insurer: str, *, cursor: str | None, limit: int, as_of: datetime | None) -> dict[str, Any]:
    """Every change after the cursor, in recorded order: none is left out, none comes twice.

    `next_cursor` is always given: ask with it again for what comes later. A page may be empty and yet have more
    behind it.
    """
    known = sealed.head(as_of)
    after = _position(cursor)
    upto = min(known.position, after + WINDOW)
    values = {"after": after, "upto": upto, "insurer": bare(insurer, INS), "most": limit + 1}
    rows = read(_CHANGES, values)
    items = [_change(row) for row in rows[:limit]]
    reached = rows[limit - 1].position if len(rows) > limit else max(after, upto)
    answer = {"items": items, "next_cursor": _cursor(reached), "has_more": reached < known.position}
    return _named(known, answer)


def exposure(insurer: str, as_of: datetime | None = None) -> dict[str, Any]:
    """How many cars are out under open covers, by country, and what they are worth."""
    known = sealed.head(as_of)
    values = {
        "insurer": bare(insurer, INS),
        "position": known.position,
        "since": known.as_of - MOVED,
    }
    items = [
        {
            "country": row.country,
            "cars": row.cars,
            "declared_value": {"amount": int(row.total or 0), "currency": row.currency},
            "cars_without_value": row.unvalued,
        }
        for row in read(_EXPOSURE, values)
    ]
    return _named(known, {"items": items})


def log_heads(*, limit: int, cursor: str | None, as_of: datetime | None) -> dict[str, Any]:
    """The chain's head at each position, newest first."""
    known = sealed.head(as_of)
    upto = known.position if cursor is None else min(known.position, _position(cursor) - 1)
    found = sealed.heads(upto=upto, most=limit)
    last = int(str(found[-1]["position"])) if found else 1
    return _named(known, {"items": found, "next_cursor": _cursor(last) if last > 1 else None})


def signed_heads(*, limit: int, cursor: str | None, as_of: datetime | None) -> dict[str, Any]:
    """The heads that were signed, newest first."""
    known = sealed.head(as_of)
    upto = known.position if cursor is None else min(known.position, _position(cursor) - 1)
    found = [row._asdict() for row in read(_SIGNED, {"upto": upto, "most": limit + 1})]
    more = _cursor(found[limit - 1]["last"]) if len(found) > limit else None
    return _named(known, {"items": found[:limit], "next_cursor": more})


def _as_read(row: Any, as_of: datetime | None) -> dict[str, Any]:
    """A version as the insurer reads it, with when it took note of it; `as_of` an earlier instant without, since that it
    did so later would change the answer.
    """
    data: dict[str, Any] = row.data
    if as_of is not None:
        return data
    taken = row.acknowledged_version is not None and row.acknowledged_version >= data["version"]
    return {**data, "acknowledged_at": z(row.acknowledged_at) if taken else None}


def _named(known: sealed.Head, answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "as_of": known.as_of, "position": known.position}


def _change(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "recorded_at": row.recorded_at,
        "cover": row.data,
        "version": row.data["version"],
        "position": row.position,
    }


_POSITION = re.compile(r"p([0-9]{1,18})")


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"p{position}".encode()).rstrip(b"=").decode()


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        found = _POSITION.fullmatch(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        )
    except ValueError:
        found = None
    if found is None:
        raise _no_cursor()
    return int(found[1])


def _no_cursor() -> Validation:
    return Validation(
        errors=[{"parameter": "cursor", "code": "invalid", "detail": "Not a cursor of this list."}]
    )
