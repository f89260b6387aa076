"""Covers that hold on condition: given before an offline grant is, they take effect when the box's own record says so.

They join the caller's transaction, who holds the car row's lock. Until then a conditional cover is a span of no length
beside all others; given up before, it is void, owes nothing and stays readable.
"""

from datetime import datetime

from sqlalchemy import select

from app.coverage import insured, spans, versions
from app.coverage.master_policies import InForce
from app.coverage.models import Cover
from app.coverage.trip import Trip
from app.facts import CoverActivated, CoverVoided
from app.kit.db import session
from insurance import period


def of(rental: str) -> Cover | None:
    """The conditional cover of a rental, locked: at most one."""
    found: Cover | None = session.scalars(
        select(Cover).where(Cover.rental_id == rental, Cover.state == "conditional").with_for_update(),
        execution_options={"populate_existing": True},
    ).first()
    return found


def taken_up(trip: Trip, policy: InForce, at: datetime) -> Cover | None:
    """The doors are opened with signal after all: what was given on condition goes on as the cover that is bound.

    None where nothing was given, or by an insurer who is no longer the country's: then that one is void.
    """
    cover = of(trip.rental)
    if cover is None:
        return None
    if cover.insurer_id != policy.insurer_id:
        drop(trip.rental, "another insurer's policy is in force")
        return None
    cover.state = "bound"
    insured.note(cover, trip, policy)
    begin(cover, at, trip.to_at)
    return cover


def activate(rental: str, at: datetime, planned_to: datetime, *, odometer_km: int | None) -> None:
    """The box's record says that the doors opened: the cover runs from there. Nothing without a conditional one."""
    cover = of(rental)
    if cover is None:
        return
    cover.state = "active"
    begin(cover, at, planned_to)
    cover.activated_at, cover.odometer_start_km = cover.from_at, odometer_km
    versions.record(cover, CoverActivated)


def begin(cover: Cover, at: datetime, planned_to: datetime) -> None:
    """Give the cover its span, open at the end."""
    cover.from_at, cover.to_at = period.to_ms(at), None
    cover.planned_to = max(planned_to, cover.from_at)
    spans.spread(cover)


def drop(rental: str, evidence: str) -> None:
    """No grant opens the car under it any more, and none did: void, the premium is nothing."""
    cover = of(rental)
    if cover is None:
        return
    spans.void(cover, evidence)
    versions.record(cover, CoverVoided)
