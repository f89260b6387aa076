"""Every change of a cover as a row that stays, with its fact, in the transaction of the change."""

from datetime import datetime
from typing import Any

from app.coverage import master_policies, named_drivers
from app.coverage.models import Cover, CoverVersion
from app.facts import (
    CoverActivated,
    CoverBound,
    CoverClosed,
    CoverEndorsed,
    CoverExtended,
    CoverLeftTerritory,
    CoverOverrun,
    CoverVoided,
)
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import Big, session
from insurance.verify_log import digest

Changed = (
    CoverBound
    | CoverActivated
    | CoverExtended
    | CoverEndorsed
    | CoverLeftTerritory
    | CoverOverrun
    | CoverClosed
    | CoverVoided
)
Change = type[Changed]
KINDS: dict[Change, str] = {
    CoverBound: "cover.bound",
    CoverActivated: "cover.activated",
    CoverExtended: "cover.extended",
    CoverEndorsed: "cover.endorsed",
    CoverLeftTerritory: "cover.left_territory",
    CoverOverrun: "cover.overrun",
    CoverClosed: "cover.closed",
    CoverVoided: "cover.voided",
}


def record(cover: Cover, change: Change) -> Cover:
    """Write the next version and its fact, which binds what the version says."""
    with session.no_autoflush:
        now = clock.now()
    cover.version += 1
    cover.recorded_at = now
    session.flush()
    data = as_json(cover)
    what = change(cover=cover.id, rental=cover.rental_id, version=cover.version, digest=digest(data))
    seq = facts.record(what)
    session.add(
        CoverVersion(
            cover_id=cover.id,
            version=cover.version,
            kind=KINDS[change],
            fact_seq=Big(seq),
            recorded_at=cover.recorded_at,
            insurer_id=cover.insurer_id,
            state=cover.state,
            from_at=cover.from_at,
            to_at=cover.to_at,
            data=data,
        )
    )
    session.flush()
    return cover


def as_json(cover: Cover) -> dict[str, Any]:
    """The whole cover as an insurer reads it: no name, no rental, no place."""
    terms = master_policies.of_cover(cover)
    to, own_damage_to = spans_shown(cover)
    return {
        "id": cover.id,
        "certificate": cover.certificate_id,
        "version": cover.version,
        "state": cover.state,
        "from": z(cover.from_at),
        "to": _z(to),
        "liability": {"from": z(cover.from_at), "to": _z(to)},
        "own_damage": {"from": z(cover.from_at), "to": _z(own_damage_to)},
        "planned": {"from": z(cover.planned_from), "to": z(cover.planned_to)},
        "car": cover.car,
        "master_policy": {"id": cover.policy_id, "number": terms.number, "version": terms.version},
        "insurer": terms.insurer,
        "driver_ref": cover.driver_ref,
        "named_drivers": named_drivers.as_json(cover, to),
        "overrun_at": _z(cover.overrun_at),
        "left_territory": cover.left_territory or [],
        "odometer_start_km": cover.odometer_start_km,
        "odometer_end_km": cover.odometer_end_km,
        "covered_minutes": cover.covered_minutes,
        "charged_minutes": cover.charged_minutes,
        "charged_km": cover.charged_km,
        "km_from": cover.km_from,
        "premium": None if cover.premium is None else {"amount": cover.premium, "currency": cover.currency},
        "end_evidence": cover.end_evidence,
        "recorded_at": z(cover.recorded_at),
    }


def _z(at: datetime | None) -> str | None:
    return None if at is None else z(at)


def spans_shown(cover: Cover) -> tuple[datetime | None, datetime | None]:
    """Where liability and own damage end, as a reader sees it: of a conditional cover, at the latest."""
    if cover.state == "conditional":
        return cover.conditional_to, cover.planned_to
    return cover.to_at, cover.own_damage_to
