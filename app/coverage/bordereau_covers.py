"""The covers of which a bordereau has to tell: each read once, with what was told of it before."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, text

from app.coverage.models import INS
from app.kit.keys import settings
from insurance.bordereau import Line, OfCovers, Reported

MONTH = relativedelta(months=1)
# The zone is that in which the cover was given. Covers of before that was kept stay with that of their first line, else
# have their car's.
_COVERS = text(
    "select c.id, x.data, x.version, f.position, c.declared_value, z.zone, p.data as policy,"
    " r.version as told, r.premium as told_premium, r.voided as told_void"
    " from covers c join master_policies p on p.id = c.policy_id join cars k on k.no = c.car_no"
    " cross join lateral (select v.version, v.data, v.fact_seq from cover_versions v where v.cover_id = c.id"
    " order by v.version desc limit 1) x join facts f on f.seq = x.fact_seq and f.position is not null"
    " left join lateral (select o.version, o.premium, o.voided from covers_reported o where o.cover_id = c.id"
    " order by o.version desc limit 1) r on true"
    " cross join lateral (select coalesce(c.time_zone, case when r.version is not null then"
    " (select b.json::json ->> 'zone' from bordereau_rows b where b.cover_id = c.id order by b.bordereau_id limit 1) end,"
    " k.time_zone) as zone) z"
    " where c.insurer_id = :insurer and p.number = :number and x.version > coalesce(r.version, 0)"
    " and c.state <> 'conditional' and c.recorded_at >= coalesce(cast(:since as timestamptz), '-infinity')"
    " and (c.from_at at time zone z.zone)::date <= cast(:upto as date) order by c.from_at, c.id"
)


@dataclass(frozen=True, slots=True)
class Policies:
    """All versions of one master policy: a bordereau is made of what was bound under any of them."""

    insurer: UUID
    number: str

    @property
    def of(self) -> str:
        """Whose they are."""
        return f"{INS}_{self.insurer.hex}"

    @property
    def names(self) -> dict[str, Any]:
        """What statements know them by."""
        return {"insurer": self.insurer, "number": self.number}


def month_end(month: str) -> date:
    """The last day of YYYY-MM. Raises ValueError."""
    return date.fromisoformat(f"{month}-01") + MONTH - timedelta(days=1)


def lines(
    reading: Connection, policies: Policies, month: str, last: str | None, batch: int
) -> Generator[tuple[Line, Any]]:
    """By when they began, each with the row it was made of. `last` is the month made last."""
    asked = {**policies.names, "upto": month_end(month), "since": _since(last)}
    with reading.execute(_COVERS, asked, execution_options={"yield_per": batch}) as rows:
        for row in rows:
            yield _line(row, month), row


def _since(last: str | None) -> datetime | None:
    """The month made last told of all that was recorded before, but for what began after it, which was recorded since.

    A day less, for it ended on each car's own clocks.
    """
    return None if last is None else datetime.combine(month_end(last), time(), UTC) - timedelta(days=1)


def _line(row: Any, month: str) -> Line:
    before = None if row.told is None else Reported(row.told, row.told_premium, row.told_void)
    return Line(
        cover=row.data,
        policy=row.policy,
        sum_insured=row.declared_value,
        position=row.position,
        zone=row.zone,
        coverholder=settings().issuer[0],
        month_end=month_end(month),
        before=before,
    )


def reported(row: Any, line: Line, told: set[OfCovers]) -> tuple[UUID, int, int | None, bool]:
    """What is to be remembered of the cover: its id, version, the premium of all its lines, whether it is void."""
    premium = line.premium if "premium" in told else row.told_premium
    return row.id, row.version, premium, row.data["state"] == "void"
