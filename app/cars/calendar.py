"""A car's calendar: what is free, held and blocked; by whom is shown to the owner alone."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.cars import access, occupancy
from app.cars.models import Car
from app.kit.db import session
from app.kit.errors import Validation

LONGEST = timedelta(days=92)
_FREE = text(
    "with span as (select tstzrange(:a, :b, '[)') as s), busy as (select coalesce(range_agg(during), '{}') as m"
    " from occupancy, span where car_no = cast(:car as int) and during && s and not isempty(during))"
    " select lower(gap) as a, upper(gap) as b from (select unnest((tstzmultirange(s) * coalesce((select spans from offers"
    " where car_no = cast(:car as int)), '{}'::tstzmultirange)) - m) as gap from span, busy) as gaps order by 1"
)


def of(person: str, car_id: str, from_at: datetime, to_at: datetime) -> list[dict[str, Any]]:
    """The spans of at most 92 days, in order. Raises NotFound, Validation."""
    if not from_at < to_at <= from_at + LONGEST:
        raise Validation(
            errors=[{"parameter": "to", "code": "invalid", "detail": "After `from`, at most 92 days later."}]
        )
    car = access.may_see(car_id, person)
    mine = access.runs(car, person)
    found = [
        {"from_at": row.a, "to_at": row.b, "kind": "free", "ref": None} for row in _free(car, from_at, to_at)
    ]
    for kind, ref, begins, ends in occupancy.spans(car, from_at, to_at):
        found.append(
            {
                "from_at": max(begins, from_at),
                "to_at": min(ends, to_at),
                "kind": "blocked" if kind == "block" else "held",
                "ref": ref if mine else None,
            }
        )
    return sorted(found, key=lambda span: span["from_at"])


def _free(car: Car, from_at: datetime, to_at: datetime) -> Any:
    return session.execute(_FREE, {"car": car.no, "a": from_at, "b": to_at}).all()
