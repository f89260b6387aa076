"""The claims of a month, for its bordereau: those opened or changed by its end and not yet reported as they stood then."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, text

from app.kit.driver import plain
from app.kit.keys import settings
from insurance.claims_bordereau import ClaimLine

# As a claim stood at the end of the month on the clocks of the cover's place, whatever has become of it since.
_CLAIMS = text(
    "select m.id, x.data, x.version, x.position, v.data as cover, z.zone, p.data as policy,"
    " coalesce(r.paid_indemnity, 0) as told_indemnity, coalesce(r.paid_fees, 0) as told_fees"
    " from claims m join covers c on c.id = m.cover_id join master_policies p on p.id = c.policy_id"
    " join cars k on k.no = c.car_no cross join lateral (select coalesce(c.time_zone, k.time_zone) as zone) z"
    " cross join lateral (select n.data, n.version, f.position from claim_versions n join facts f on f.seq = n.fact_seq"
    " where n.claim_id = m.id and f.position is not null"
    " and (n.recorded_at at time zone z.zone)::date <= cast(:upto as date) order by n.version desc limit 1) x"
    " cross join lateral (select w.data from cover_versions w where w.cover_id = c.id order by w.version desc limit 1) v"
    " left join claims_reported r on r.claim_id = m.id"
    " where m.insurer_id = :insurer and p.number = :number and x.version > coalesce(r.version, 0)"
    " order by m.notified_at, m.id"
)
_REMEMBER = text(
    "insert into claims_reported (claim_id, version, paid_indemnity, paid_fees) select * from unnest("
    "cast(:claims as uuid[]), cast(:versions as int[]), cast(:indemnity as bigint[]), cast(:fees as bigint[]))"
    " on conflict (claim_id) do update set version = excluded.version,"
    " paid_indemnity = excluded.paid_indemnity, paid_fees = excluded.paid_fees"
)


@dataclass(slots=True)
class Told:
    """The claims of which a bordereau tells, as it does: what is remembered once it is whole."""

    claims: list[UUID] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    indemnity: list[int] = field(default_factory=list)
    fees: list[int] = field(default_factory=list)

    def remember(self) -> None:
        """In the transaction that makes it whole."""
        plain(_REMEMBER, asdict(self))


def lines(
    reading: Connection, insurer: UUID, number: str, upto: date, batch: int, told: Told
) -> Generator[ClaimLine]:
    """What a bordereau to that day is to hold, by when they were notified; each is noted in `told`."""
    names = {"insurer": insurer, "number": number, "upto": upto}
    with reading.execute(_CLAIMS, names, execution_options={"yield_per": batch}) as rows:
        for row in rows:
            told.claims.append(row.id)
            told.versions.append(row.version)
            told.indemnity.append(row.data["paid"]["indemnity"])
            told.fees.append(row.data["paid"]["fees"])
            yield ClaimLine(
                claim=row.data,
                cover=row.cover,
                policy=row.policy,
                position=row.position,
                zone=row.zone,
                coverholder=settings().issuer[0],
                month_end=upto,
                told={"indemnity": row.told_indemnity, "fees": row.told_fees},
            )
