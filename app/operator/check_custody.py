"""Whether custody, its ledger and the covers say the same: one statement over the last months, in bounded time."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.kit import clock
from app.kit.db import public, session
from app.operator.finding import Finding, ok, warning, wrong

SINCE, WITHIN_S, AT_MOST = timedelta(days=90), 10, 1000
GAP = "custody has a gap or an overlap"
LEDGER = "custody and its ledger name different holders"
COVER = "covers are not what others held"
# What lies before `since` is cut off on both sides alike. An entry without an end that is the newest of its kind is what
# the ledger says of now: entries after it only took parts of what lay before.
_BROKEN = text(
    "with spans as materialized ("
    " select car_no, holder, person_id, rental_id, from_at, to_at,"
    " lead(from_at) over (partition by car_no order by from_at) as following,"
    " tstzrange(from_at, to_at) * tstzrange(:since, null) as held"
    " from custody where (to_at is null or to_at > from_at) and coalesce(to_at, 'infinity') > :since),"
    " gaps as (select distinct car_no from spans where to_at is distinct from following),"
    " present as (select distinct on (car_no) car_no, holder, person_id, rental_id from custody_entries"
    " where to_at is null order by car_no, sequence desc),"
    " ledger as (select car_no from (select * from spans where to_at is null) s full join present p using (car_no)"
    " where (s.holder, s.person_id, s.rental_id) is distinct from (p.holder, p.person_id, p.rental_id)),"
    " others as (select car_no, range_agg(held) as held from spans where holder = 'driver' group by car_no),"
    " covered as (select car_no, range_agg(tstzrange(from_at, to_at) * tstzrange(:since, null)) as covered from covers"
    " where state not in ('void', 'conditional') and (to_at is null or to_at > from_at)"
    " and coalesce(to_at, 'infinity') > :since group by car_no),"
    " uncovered as (select car_no from others full join covered using (car_no) where held is distinct from covered)"
    " select what, c.id from ("
    " select cast(:gap as text) as what, car_no from gaps"
    " union all select :ledger, car_no from ledger"
    " union all select :cover, car_no from uncovered) broken join cars c on c.no = broken.car_no"
    " order by what, c.no limit :most"
)
_BOUND = text("select set_config('statement_timeout', :limit, true)")
REMEDY = (
    "Compare with: flask --app wsgi export log, then verify-log, and docs/adr/0047-custody-as-known.md. Change nothing by"
    " hand before you know who did."
)


def broken(since: timedelta = SINCE) -> dict[str, list[str]]:
    """Cars, at most a thousand of all, by what is wrong with them. Raises OperationalError when it takes too long."""
    session.execute(_BOUND, {"limit": f"{WITHIN_S}s"})
    rows = session.execute(
        _BROKEN,
        {"since": clock.now() - since, "gap": GAP, "ledger": LEDGER, "cover": COVER, "most": AT_MOST},
    ).all()
    session.execute(_BOUND, {"limit": "0"})
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.what, []).append(public(row.id, "car"))
    return found


def custody_and_covers() -> Iterator[Finding]:
    """What a doctor says of it."""
    days = SINCE.days
    try:
        found = broken()
    except OperationalError:
        session.rollback()
        words = f"the last {days} days could not be looked through in {WITHIN_S} s"
        yield warning("custody", words, "Ask again when it is quiet.")
        return
    for what, cars in found.items():
        yield wrong("custody", f"{what}: {len(cars)} cars, the first {cars[0]}", REMEDY)
    if not found:
        yield ok("custody", f"of {days} days: no gap, as the ledger says, and covers are what others held")
