"""A car's calendar: what is free, held and blocked; by whom is shown to the owner alone."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.cars import access
from app.kit.db import read
from app.kit.errors import Validation

LONGEST = timedelta(days=92)
_KINDS = {"free": "free", "block": "blocked"}
_SPANS = text(
    "with span as (select tstzrange(:a, :b, '[)') as s), taken as (select kind, ref, during from occupancy, span"
    " where car_no = cast(:car as int) and during && s),"
    " busy as (select coalesce(range_agg(during) filter (where not isempty(during)), '{}') as m from taken)"
    " select 'free' as kind, null as ref, lower(gap) as a, upper(gap) as b from (select unnest((tstzmultirange(s)"
    " * coalesce((select spans from offers where car_no = cast(:car as int)), '{}'::tstzmultirange)) - m) as gap"
    " from span, busy) as gaps union all"
    " select kind, ref, lower(during * s), upper(during * s) from taken, span order by a"
)


def of(person: str, car_id: str, from_at: datetime, to_at: datetime) -> list[dict[str, Any]]:
    """The spans of at most 92 days, in order. Raises NotFound, Validation."""
    if not from_at < to_at <= from_at + LONGEST:
        raise Validation(
            errors=[{"parameter": "to", "code": "invalid", "detail": "After `from`, at most 92 days later."}]
        )
    seen = access.glance(car_id, person)
    return [
        {
            "from_at": row.a,
            "to_at": row.b,
            "kind": _KINDS.get(row.kind, "held"),
            "ref": row.ref if seen.runs else None,
        }
        for row in read(_SPANS, {"car": seen.car_no, "a": from_at, "b": to_at})
    ]
