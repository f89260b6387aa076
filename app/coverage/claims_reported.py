"""The claims of a month, for its bordereau: those opened or changed by its end and not yet reported as they stood then."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.kit.db import session
from app.kit.keys import settings
from insurance.claims_bordereau import ClaimLine

# As a claim stood at the end of the month on the clocks of the car's place, whatever has become of it since.
_CLAIMS = text(
    "select m.id, x.data, x.version, x.position, v.data as cover, k.time_zone, p.data as policy,"
    " coalesce(r.paid_indemnity, 0) as told_indemnity, coalesce(r.paid_fees, 0) as told_fees"
    " from claims m join covers c on c.id = m.cover_id join master_policies p on p.id = c.policy_id"
    " join cars k on k.no = c.car_no"
    " cross join lateral (select n.data, n.version, f.position from claim_versions n join facts f on f.seq = n.fact_seq"
    " where n.claim_id = m.id and f.position is not null"
    " and (n.recorded_at at time zone k.time_zone)::date <= cast(:upto as date) order by n.version desc limit 1) x"
    " cross join lateral (select w.data from cover_versions w where w.cover_id = c.id order by w.version desc limit 1) v"
    " left join claims_reported r on r.claim_id = m.id"
    " where m.insurer_id = :insurer and p.number = :number and x.version > coalesce(r.version, 0)"
    " order by m.notified_at, m.id"
)
_REMEMBER = text(
    "insert into claims_reported (claim_id, version, paid_indemnity, paid_fees)"
    " values (:claim, :version, :indemnity, :fees) on conflict (claim_id) do update set version = excluded.version,"
    " paid_indemnity = excluded.paid_indemnity, paid_fees = excluded.paid_fees"
)


def lines(insurer: UUID, number: str, upto: date, batch: int) -> Iterator[ClaimLine]:
    """What a bordereau to that day is to hold, by when they were notified; each is remembered as reported."""
    names = {"insurer": insurer, "number": number, "upto": upto}
    reported = list[dict[str, Any]]()
    for row in session.execute(_CLAIMS, names, execution_options={"yield_per": batch}):
        paid = row.data["paid"]
        reported.append({"claim": row.id, "version": row.version, **paid})
        if len(reported) == batch:
            _remember(reported)
        yield ClaimLine(
            claim=row.data,
            cover=row.cover,
            policy=row.policy,
            position=row.position,
            zone=row.time_zone,
            coverholder=settings().issuer[0],
            month_end=upto,
            told={"indemnity": row.told_indemnity, "fees": row.told_fees},
        )
    _remember(reported)


def _remember(reported: list[dict[str, Any]]) -> None:
    if reported:
        session.execute(_REMEMBER, reported)
    reported.clear()
