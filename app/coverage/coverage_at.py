"""Was this car covered at this instant: answered from sealed versions alone, for one insurer's own covers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from app.cars.add import normalise
from app.coverage import sealed
from app.coverage.models import COV, INS
from app.coverage.report import span_of
from app.coverage.trip import driver_ref
from app.facts import IdentityShown
from app.kit import clock, facts
from app.kit.db import bare, public, transactional
from app.kit.driver import read
from app.kit.errors import Validation
from app.people import identity

_BY_PLATE = (
    "select car_no from plates where country = :country and normalised = :plate"
    " and from_at <= :at and (to_at is null or to_at > :at) order by from_at desc limit 1"
)
# A look-up knows a car only where the asker's own sealed covers know it: any other is passed over as a plate is that nobody
# has, and the rest of the statement is not run for it.
_OF_MINE = (
    "select p.car_no from ({worn}) p where exists (select 1 from covers m"
    " join cover_versions x on x.cover_id = m.id join facts f on f.seq = x.fact_seq"
    " where m.insurer_id = :insurer and m.car_no = p.car_no and f.position <= cast(:position as bigint))"
)
# A car that changed hands is entered anew: the entry of the instant comes first, however many came after it.
_BY_VIN = (
    "select no as car_no from cars where vin = :vin and made_at <= :at"
    " order by coalesce(removed_at > :at, true) desc, no desc limit 3"
)
# The newest start decides, since covers of a car never overlap; a void one was never a cover. Each version
# counts only when its fact is sealed at or before the position asked, and from the start that it says: a late record may
# since have moved the cover's to an earlier one. Where a grant was given, what it may open is asked
# after this: as one statement PostgreSQL would plan it anew each time, which takes twice as long as running it.
# The latest of a car's grants is compared with the instant, not each in a condition: a plan that is kept for any instant
# would take a third of all covers for later ones, and look through every cover of the car.
_QUERY = (
    "select w.car_no, k.plate, k.vin, v.cover_id, v.insurer_id, v.driver_id, v.data, v.recorded_at,"
    " coalesce((select max(c.conditional_to) filter (where c.insurer_id = :insurer) from covers c"
    " where c.car_no = w.car_no and c.conditional_to is not null) > :at, false) as on_condition,"
    " coalesce(v.to_at > :at or v.open, false) as covered,"
    " exists (select 1 from policies_in_force p where p.insurer_id = :insurer and p.country = k.country"
    " and p.from_at <= :at and p.to_at > :at) as ours"
    " from ({which}) w join cars k on k.no = w.car_no"
    " left join lateral (select c.id as cover_id, c.insurer_id, c.driver_id, s.data, s.recorded_at,"
    " s.to_at, s.to_at is null as open"
    " from covers c cross join lateral (select x.state, x.from_at, x.to_at, x.data, x.recorded_at"
    " from cover_versions x join facts f on f.seq = x.fact_seq"
    " where x.cover_id = c.id and f.position <= cast(:position as bigint)"
    " order by x.version desc limit 1) s"
    " where c.car_no = w.car_no and c.from_at <= :at and s.from_at <= :at and s.state not in ('void', 'conditional')"
    " order by c.from_at desc, c.id desc limit 1) v on true"
    " order by covered desc, w.car_no desc limit 1"
)
# As known now: the last sealed position, the clock and the answer in one statement, so of one snapshot.
_NOW = (
    "with head as materialized ({last})"
    " select business_now() as now, head.position, head.sealed, q.* from (values (1)) one left join head on true"
    " left join ({query}) q on true"
)
BY_PLATE: TextClause = text(_QUERY.format(which=_BY_PLATE))
BY_PLATE_OF_MINE: TextClause = text(_QUERY.format(which=_OF_MINE.format(worn=_BY_PLATE)))
BY_VIN: TextClause = text(_QUERY.format(which=_BY_VIN))


def _now(query: TextClause) -> TextClause:
    of_head = query.text.replace(":position", "(select position from head)")
    return text(_NOW.format(last=sealed.LAST, query=of_head))


_NOWS = {one: _now(one) for one in (BY_PLATE, BY_PLATE_OF_MINE, BY_VIN)}
BY_PLATE_NOW, BY_VIN_NOW = _NOWS[BY_PLATE], _NOWS[BY_VIN]
# What an offline grant may open: given on condition, and as far as is known neither used nor given up.
_ON_CONDITION = text(
    "select s.data, s.recorded_at from covers c"
    " cross join lateral (select x.state, x.data, x.recorded_at from cover_versions x join facts f on f.seq = x.fact_seq"
    " where x.cover_id = c.id and f.position <= cast(:position as bigint) order by x.version desc limit 1) s"
    " where c.car_no = cast(:car as int) and c.conditional_to > :at and c.insurer_id = :insurer"
    " and s.state = 'conditional' and (s.data ->> 'from')::timestamptz <= :at and (s.data ->> 'to')::timestamptz > :at"
    " order by s.data ->> 'from' limit 1"
)
_DRIVER = text("select driver_id from covers where id = :cover")
_NAMED = text(
    "select distinct n.person_id from named_drivers n join covers c on c.rental_id = n.rental_id where c.id = :cover"
)


def ask(
    insurer: str,
    *,
    at: datetime,
    plate: str | None = None,
    vin: str | None = None,
    country: str | None = None,
    as_of: datetime | None = None,
    shown_to: str | None = None,
    ever_mine: bool = False,
) -> dict[str, Any]:
    """yes, no, or unknown where we have no such car or the insurer no business with it. Raises Validation.

    `ever_mine`: by plate, a car that the insurer never covered is none of ours. `shown_to`: the client that is told the
    driver's name, which is recorded before it is.
    """
    _check(plate, vin, country)
    values: dict[str, Any] = {"insurer": bare(insurer, INS), "at": at}
    if plate is not None:
        values |= {"plate": normalise(plate), "country": country}
        query = BY_PLATE_OF_MINE if ever_mine else BY_PLATE
    else:
        values |= {"vin": vin}
        query = BY_VIN
    known, row = _now_known(query, values) if as_of is None else _then_known(query, values, as_of)
    answer = {
        "covered": "unknown",
        "at": at,
        "as_of": known.as_of,
        "position": known.position,
        "plate": plate,
        "vin": vin,
    }
    if row is None:
        return answer
    found = answer | _judged(row, insurer, at, shown_to)
    if found["covered"] == "yes" or not row.on_condition:
        return found
    return found | _on_condition(row.car_no, {**values, "position": known.position})


def _now_known(query: TextClause, values: dict[str, Any]) -> tuple[sealed.Head, Any]:
    row = read(_NOWS[query], values)[0]
    if values["at"] > row.now:
        raise Validation(errors=[_FUTURE])
    known = sealed.of(row.position, row.sealed, row.now)
    return known, row if row.car_no is not None else None


def _then_known(query: TextClause, values: dict[str, Any], as_of: datetime) -> tuple[sealed.Head, Any]:
    if values["at"] > clock.now():
        raise Validation(errors=[_FUTURE])
    known = sealed.head(as_of)
    rows = read(query, {**values, "position": known.position})
    return known, rows[0] if rows else None


_FUTURE = {"parameter": "at", "code": "future", "detail": "Cover is known up to now."}


def _check(plate: str | None, vin: str | None, country: str | None) -> None:
    errors = []
    if (plate is None) == (vin is None):
        errors.append({"parameter": "plate", "code": "invalid", "detail": "Give a plate or a VIN."})
    if plate is not None and country is None:
        errors.append({"parameter": "country", "code": "required", "detail": "A plate needs its country."})
    if errors:
        raise Validation(errors=errors)


def _judged(row: Any, insurer: str, at: datetime, shown_to: str | None) -> dict[str, Any]:
    mine = row.insurer_id is not None and f"{INS}_{row.insurer_id.hex}" == insurer
    if row.covered and not mine:  # under somebody else's cover, of which nothing is told, not even by a "no"
        return {"car_no": row.car_no}
    if not row.covered:
        return ({"covered": "no", "holder": "owner"} if row.ours else {}) | {"car_no": row.car_no}
    data = row.data
    return {
        "covered": "yes",
        "holder": "other",
        "cover": data,
        "insurer": data["insurer"],
        "policy_number": data["master_policy"]["number"],
        "certificate": data["certificate"],
        "driver_ref": data["driver_ref"],
        "named_drivers": _named(row, insurer, at, shown_to),
        "odometer_km": data["odometer_start_km"],
        "recorded_at": row.recorded_at,
        "car_no": row.car_no,
    } | ({"driver": driver(row.cover_id, shown_to)} if shown_to is not None else {})


def _on_condition(car_no: int, values: dict[str, Any]) -> dict[str, Any]:
    """Whether the box opened without signal is not known yet: neither yes nor no, with the cover that holds if it did."""
    rows = read(_ON_CONDITION, {"car": car_no, **values})
    if not rows:
        return {}
    row = rows[0]
    return {
        "covered": "unknown",
        "holder": None,
        "cover": row.data,
        "recorded_at": row.recorded_at,
    }


def _named(row: Any, insurer: str, at: datetime, shown_to: str | None) -> list[dict[str, Any]]:
    """Who was insured besides at that instant; with their names where these may be told."""
    refs = [one["driver_ref"] for one in row.data.get("named_drivers", ()) if span_of(one).holds(at)]
    if shown_to is None or not refs:
        return [{"driver_ref": one} for one in refs]
    who = identities(row.cover_id, insurer, refs, shown_to)
    return [{"driver_ref": one, "driver": who[one]} for one in refs]


def identities(cover: UUID, insurer: str, refs: list[str], client: str) -> dict[str, dict[str, Any] | None]:
    """Who is behind these pseudonyms of named drivers; None once forgotten. It is recorded first."""
    people = [public(row.person_id, "per") for row in read(_NAMED, {"cover": cover})]
    known = {driver_ref(insurer, one): one for one in people}
    return {ref: _identity(known[ref], cover, client) if ref in known else None for ref in refs}


def driver(cover: UUID, client: str) -> dict[str, Any] | None:
    """Who drives under a cover, for a client that may read that; None once forgotten. It is recorded first."""
    rows = read(_DRIVER, {"cover": cover})
    return _identity(public(rows[0].driver_id, "per"), cover, client) if rows else None


def _identity(person: str, cover: UUID, client: str) -> dict[str, Any] | None:
    found = identity.of(person)
    if found is None:
        return None
    _shown(IdentityShown(person=person, cover=f"{COV}_{cover.hex}", client=client))
    return found._asdict()


@transactional
def _shown(fact: IdentityShown) -> None:
    facts.record(fact)
