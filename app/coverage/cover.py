"""Covers: bound before the doors open, open until the box confirms the lock, each change a version and a fact.

The functions join the caller's transaction; the caller holds the car row's lock and gives instants of business time.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from app.cars.models import Car
from app.coverage import (
    conditional,
    confirm,
    eligibility,
    insured,
    licence_check,
    master_policies,
    name_driver,
    spans,
    versions,
)
from app.coverage.master_policies import NO_POLICY, InForce
from app.coverage.models import Cover, Policy
from app.coverage.trip import Trip, driver_ref
from app.facts import CoverActivated, CoverBound, CoverClosed, CoverExtended, CoverOverrun, CoverVoided
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotFound, NotInsurable
from insurance import eligibility as insurance_rules
from insurance import period

__all__ = [
    "LIMITS",
    "Trip",
    "activate",
    "bind",
    "clearance_needed",
    "close",
    "conditions_of",
    "continue_confirmation",
    "correct",
    "draft",
    "end",
    "extend",
    "judged",
    "of",
    "open_of_car",
    "overrun",
    "reasons_against",
    "refusal",
    "report_late",
    "void",
]
COVER_OPEN = "cover_open"
LIMITS = frozenset(map(str, insurance_rules.LIMITS))
"""Reasons for which nobody is insured until the insurer takes note of earlier covers."""
_CONDITIONAL = Cover.state == "conditional"


def reasons_against(
    trip: Trip, *, at: datetime | None = None, share_lock: bool = False, ignore_clearance: bool = False
) -> list[str]:
    """Why this trip cannot be insured, as eligibility codes; none: `bind` would succeed at that instant.

    `at` is when the cover would begin, where that is not the planned start. `share_lock` holds policy and
    licence until the transaction ends. `ignore_clearance`, for quotes and bookings, leaves out what can still be
    put right until the unlock: a licence that is missing or not cleared, conditions not accepted, an insurer that
    has not confirmed or is behind with acknowledging.
    """
    return judged(trip, at or trip.from_at, share_lock=share_lock, ahead=ignore_clearance)[1]


def judged(
    trip: Trip, at: datetime, *, share_lock: bool, ahead: bool = False, exact: bool = False
) -> tuple[InForce | None, list[str]]:
    """The policy in force at an instant, and the codes that speak against the trip under it."""
    policy = master_policies.in_force(trip.car.country, at, share_lock=share_lock)
    if policy is None:
        return None, [NO_POLICY]
    begun = replace(trip, from_at=at)
    reasons = eligibility.of_trip(
        policy, begun, planned_from=trip.from_at, share_lock=share_lock, ahead=ahead, exact=exact
    )
    return policy, reasons


def clearance_needed(car: Car, at: datetime | None = None) -> str:
    """Whose look at the licence is enough: owner, operator or provider; owner where no policy is in force."""
    policy = master_policies.in_force(car.country, at or clock.now())
    return "owner" if policy is None else master_policies.read(policy).clearance


def conditions_of(car: Car, at: datetime | None = None) -> list[str]:
    """The versions of insurance conditions a driver must accept; none where no policy is in force."""
    policy = master_policies.in_force(car.country, at or clock.now())
    return [] if policy is None else sorted(master_policies.read(policy).conditions)


def bind(trip: Trip, at: datetime, *, odometer_km: int | None = None) -> Cover:
    """Cover from `at`, with an open end. A rental whose cover is open keeps that one. Raises NotInsurable."""
    at = period.to_ms(at)
    given = open_of_car(trip.car.no)
    if given is not None:
        if given.rental_id == trip.rental:
            return given
        raise NotInsurable("Another cover of this car is still open.", reasons=[COVER_OPEN])
    policy, reasons = judged(trip, at, share_lock=True, exact=True)
    if policy is None or reasons:
        raise refusal(reasons)
    licence_check.keep(trip.rental, trip.driver, at)
    name_driver.look_again(trip, policy, at)
    cover = conditional.taken_up(trip, policy, at) or draft(trip, policy, at)
    cover.odometer_start_km = odometer_km
    continue_confirmation(cover)
    session.add(cover)
    return versions.record(cover, CoverBound)


def refusal(reasons: list[str]) -> NotInsurable:
    """What is answered where a cover is not bound."""
    if reasons and set(reasons) <= LIMITS:
        detail = (
            "The insurer has not taken note of earlier covers yet, and what may be bound until then is used up. Nobody"
            " pays anything: try again shortly."
        )
        return NotInsurable(detail, reasons=reasons)
    return NotInsurable("The master policy does not cover this rental.", reasons=reasons)


def draft(trip: Trip, policy: InForce | Policy, at: datetime) -> Cover:
    """A cover under the policy from `at`, its end open; not written yet."""
    cover = Cover(
        rental_id=trip.rental,
        car_no=trip.car.no,
        car_id=trip.car.id,
        insurer_id=policy.insurer_id,
        driver_id=trip.driver,
        driver_ref=driver_ref(policy.insurer_id, trip.driver),
        community_id=trip.community,
        state="bound",
        version=0,
        planned_from=trip.from_at,
        planned_to=max(trip.to_at, at),
        from_at=at,
    )
    insured.note(cover, trip, policy)
    spans.spread(cover)
    return cover


def continue_confirmation(cover: Cover) -> None:
    """The insurer knows a confirmed rental by an id already: its first cover goes on under it."""
    asked = confirm.of(cover.rental_id)
    if asked is not None and session.get(Cover, asked.cover_id) is None:
        cover.id, cover.version = asked.cover_id, asked.version


def activate(rental: str, at: datetime, *, odometer_km: int | None = None) -> None:
    """The doors opened: bound -> active. Once active or closed, nothing changes."""
    cover = _open(rental)
    if cover is None or cover.state != "bound":
        return
    cover.state, cover.activated_at = "active", period.to_ms(at)
    if odometer_km is not None:
        cover.odometer_start_km = odometer_km
    versions.record(cover, CoverActivated)


def void(rental: str, at: datetime, evidence: str) -> None:
    """The doors surely never opened: no minute was covered, nothing is owed, the row remains."""
    cover = _open(rental)
    if cover is None:
        return
    if cover.state == "active":
        raise RuntimeError(f"{cover.id} is active at {at}: its doors opened, it can only be closed")
    spans.void(cover, evidence)
    versions.record(cover, CoverVoided)


def close(
    rental: str,
    at: datetime,
    *,
    evidence: str,
    charged_until: datetime | None = None,
    odometer_km: int | None = None,
) -> Cover:
    """The car is locked: the open cover ends at `at`. `charged_until`: where the meter stopped before.

    Without an open cover the latest is answered as it is. Raises NotFound when the rental never had one.
    """
    cover = _open(rental)
    if cover is None:
        return _latest(rental)
    return end(cover, at, evidence, charged_until, odometer_km)


def correct(
    rental: str,
    at: datetime,
    *,
    evidence: str,
    charged_until: datetime | None = None,
    odometer_km: int | None = None,
) -> Cover:
    """A later record of the box moves the end of a closed cover; one already ended there stays. Raises NotFound."""
    cover = _locked(select(Cover).where(Cover.id == _latest(rental).id))
    assert cover is not None
    if cover.state != "closed" or cover.to_at == period.to_ms(at):
        return cover
    return end(cover, at, evidence, charged_until, odometer_km)


def end(
    cover: Cover, at: datetime, evidence: str, charged_until: datetime | None, odometer_km: int | None
) -> Cover:
    """The cover ends at `at`, not before it began: its minutes and its premium follow."""
    cover.state, cover.end_evidence = "closed", evidence
    cover.to_at = max(period.to_ms(at), cover.from_at)
    parts = spans.spread(cover)
    cover.covered_minutes = period.covered_minutes(parts.liability) or 0
    cover.charged_minutes = period.charged_minutes(parts.liability, charged_until) or 0
    if odometer_km is not None:
        cover.odometer_end_km = odometer_km
    spans.price(cover)
    return versions.record(cover, CoverClosed)


def extend(rental: str, to_at: datetime) -> None:
    """Endorse a later planned end; the same again changes nothing."""
    cover, end = _open(rental), period.to_ms(to_at)
    if cover is None or cover.planned_to == end:
        return
    cover.planned_to, cover.overrun_at = max(end, cover.from_at), None
    spans.spread(cover)
    versions.record(cover, CoverExtended)


def overrun(rental: str) -> None:
    """The planned end has passed with the car out: liability goes on, own damage as the late rule says. Once."""
    cover = _open(rental)
    if cover is None or cover.overrun_at is not None:
        return
    cover.overrun_at = clock.now()
    versions.record(cover, CoverOverrun)


def report_late(rental: str, at: datetime) -> None:
    """Somebody told of the lateness: where the policy asks for that, own damage goes on. Once."""
    cover = _open(rental)
    if cover is None or cover.reported_late_at is not None:
        return
    cover.reported_late_at = period.to_ms(at)
    spans.spread(cover)
    versions.record(cover, CoverOverrun)


def of(rental: str) -> Cover | None:
    """The cover of a rental: the latest that is neither void nor conditional, else a conditional one, else the latest."""
    found: Cover | None = session.scalars(
        select(Cover)
        .where(Cover.rental_id == rental)
        .order_by((Cover.state == "void").asc(), _CONDITIONAL.asc(), Cover.from_at.desc(), Cover.id.desc())
        .limit(1)
    ).first()
    return found


def open_of_car(car_no: int) -> Cover | None:
    """The open cover of a car: at most one."""
    found: Cover | None = session.scalars(
        select(Cover).where(Cover.car_no == car_no, Cover.to_at.is_(None))
    ).first()
    return found


def _latest(rental: str) -> Cover:
    found = of(rental)
    if found is None:
        raise NotFound
    return found


def _open(rental: str) -> Cover | None:
    return _locked(select(Cover).where(Cover.rental_id == rental, Cover.to_at.is_(None)))


def _locked(statement: object) -> Cover | None:
    """The row, locked and read anew: reports to the insurer change it beside us."""
    found: Cover | None = session.scalars(
        statement.with_for_update(),  # type: ignore[attr-defined]
        execution_options={"populate_existing": True},
    ).first()
    return found
