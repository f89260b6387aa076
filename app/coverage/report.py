"""Tell the insurer of every version of a cover, outside any transaction, and store what it says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select

from app.cars.models import Car
from app.coverage import blocks, confirm, doors, name_driver, named_drivers
from app.coverage.models import Cover, CoverVersion
from app.coverage.trip import driver_ref
from app.coverage.versions import Changed
from app.facts import (
    CoverAcknowledged,
    CoverRefused,
)
from app.kit import clock, facts
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.kit.jobs import defer, job
from insurance.partner import (
    Acknowledgement,
    CoverReport,
    CoverState,
    InsuredCar,
    Insurer,
    InsurerRefused,
    NamedDriver,
    Premium,
    SeenAbroad,
)
from insurance.period import Span

AGAIN_S = 300


def tell(fact: Changed) -> None:
    """Reaction to every change of a cover: its version is to be told. Versions of a cover go one after the other."""
    defer("report_cover", lock=fact.cover, cover=fact.cover, version=fact.version)


@dataclass(frozen=True, slots=True)
class _Untold:
    insurer: str
    report: CoverReport
    pending: bool


@job("report_cover")
def report_cover(cover: str, version: int) -> None:
    """Tell one version. A later one replaces it, so one that is overtaken and acknowledged is not told any more.

    Temporary errors come back by themselves; a mismatch or a rejected request is for a person to look at.
    """
    untold = _untold(cover, version)
    if untold is None:
        return
    door = doors.insurer(untold.report.country, untold.insurer)
    if door is None:
        return
    try:
        answer = _told(door, untold)
    except InsurerRefused as error:
        if not _refused(cover, version, error.code):
            raise
        return
    if answer.decision == "accepted":
        acknowledge(cover, version, reference=answer.reference)
    else:
        _pending(cover, version)


def _told(door: Insurer, untold: _Untold) -> Acknowledgement:
    """What became of a report that was pending, else the report itself."""
    report = untold.report
    answer = door.read(report.cover, report.version) if untold.pending else None
    return answer or door.report(report)


@transactional
def _untold(cover_id: str, version: int) -> _Untold | None:
    cover = session.get(Cover, cover_id, populate_existing=True)
    row = session.get(CoverVersion, (cover_id, version))
    if cover is None or row is None or (cover.acknowledged_version or 0) >= version:
        return None
    return _Untold(cover.insurer_id, _report(row.data), cover.pending_version == version)


def _report(data: dict[str, Any]) -> CoverReport:
    premium = data["premium"]
    return CoverReport(
        cover=data["id"],
        version=data["version"],
        state=cast("CoverState", data["state"]),
        policy_number=data["master_policy"]["number"],
        country=data["car"]["country"],
        car=InsuredCar(**data["car"]),
        driver_ref=data["driver_ref"],
        planned=span_of(data["planned"]),
        liability=span_of(data["liability"]),
        own_damage=span_of(data["own_damage"]),
        recorded_at=datetime.fromisoformat(data["recorded_at"]),
        covered_minutes=data["covered_minutes"],
        charged_minutes=data["charged_minutes"],
        charged_km=data.get("charged_km"),
        km_from=data.get("km_from"),
        premium=Premium(**premium) if premium else None,
        end_evidence=data["end_evidence"],
        named_drivers=tuple(
            NamedDriver(one["driver_ref"], span_of(one)) for one in data.get("named_drivers", ())
        ),
        left_territory=tuple(
            SeenAbroad(one["country"], datetime.fromisoformat(one["at"]))
            for one in data.get("left_territory", ())
        ),
    )


def span_of(data: dict[str, Any]) -> Span:
    """A span as versions hold it."""
    to_at = data["to"]
    return Span(
        datetime.fromisoformat(data["from"]), None if to_at is None else datetime.fromisoformat(to_at)
    )


@transactional
def acknowledge(
    cover_id: str,
    version: int | None = None,
    *,
    insurer: str | None = None,
    reference: str | None = None,
) -> None:
    """The insurer has taken note of a version (the latest) and so of all before it. Raises NotFound.

    `insurer`: only if the cover is one of its own.
    """
    cover = _locked(cover_id)
    if cover is None or (insurer is not None and cover.insurer_id != insurer):
        raise NotFound
    taken = cover.version if version is None else version
    if not 0 < taken <= cover.version:
        raise NotFound
    if (cover.acknowledged_version or 0) >= taken:
        return
    cover.acknowledged_version, cover.acknowledged_at = taken, clock.now()
    cover.reference = reference or cover.reference
    session.flush()
    facts.record(CoverAcknowledged(cover=cover_id, version=taken))


def take_note(insurer: str, cover: str, version: int | None) -> None:
    """An insurer that comes and reads says so itself: of a cover of its own, or of what it was asked ahead.

    Raises NotFound.
    """
    try:
        acknowledge(cover, version, insurer=insurer)
    except NotFound:
        if not confirm.confirmed_by_hand(cover, insurer):
            raise


@transactional
def _pending(cover_id: str, version: int) -> None:
    cover = _locked(cover_id)
    assert cover is not None
    cover.pending_version = version
    defer("report_cover", lock=cover_id, after_s=AGAIN_S, cover=cover_id, version=version)


@transactional
def _refused(cover_id: str, version: int, reason: str) -> bool:
    """The cover given stands; the driver gets no further one from this insurer. Once.

    Where the version names drivers whom the insurer never took note of, it is refused for their sake: they alone are taken
    off and blocked. False: they are off already, so for whose sake it is refused is for a person to ask.
    """
    session.get_one(Car, session.get_one(Cover, cover_id).car_id, with_for_update=True)
    cover = _locked(cover_id)
    assert cover is not None
    if cover.refused_reason is not None:
        return True
    unknown = _named(cover, version) - _named(cover, cover.acknowledged_version)
    for row in named_drivers.of(cover.rental_id):
        if driver_ref(cover.insurer_id, row.person_id) in unknown:
            blocks.block(cover.insurer_id, row.person_id, cover.id, reason)
            name_driver.take_off(row, by=name_driver.INSURER, at=clock.now(), reasons=[reason])
    if unknown:
        return cover.version > version  # told anew without them
    cover.refused_reason = reason
    blocks.block(cover.insurer_id, cover.driver_id, cover.id, reason)
    facts.record(CoverRefused(cover=cover.id, rental=cover.rental_id, reason=reason))
    return True


def _named(cover: Cover, version: int | None) -> set[str]:
    """The pseudonyms in a version, of who was taken off again too; none where there is no such version."""
    found = session.get(CoverVersion, (cover.id, version)) if version is not None else None
    return {one["driver_ref"] for one in found.data.get("named_drivers", ())} if found is not None else set()


def _locked(cover_id: str) -> Cover | None:
    found: Cover | None = session.scalars(
        select(Cover).where(Cover.id == cover_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).first()
    return found
