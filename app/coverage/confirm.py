"""Where a policy wants to confirm first: ask its insurer ahead for the planned span, and remember the answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.coverage import blocks, doors, master_policies
from app.coverage.master_policies import InForce
from app.coverage.models import Confirmation, Policy
from app.coverage.trip import Trip, as_insured, driver_ref
from app.facts import ConfirmationRefused
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from insurance.master_policy import MasterPolicy
from insurance.partner import CoverReport, InsuredCar, InsurerRefused
from insurance.period import Span, to_ms

AGAIN_S = 60
TOLD_BEFORE, AT_LEAST = timedelta(minutes=30), timedelta(minutes=5)
"""So long before the start people are told that it is not confirmed yet; the insurer has at least so long for its answer."""


def ask(trip: Trip) -> None:
    """Ask the insurer when a rental is booked or extended; joins the caller's transaction.

    Nothing happens where the policy in force at the start delegates, or this span is asked already.
    """
    policy = master_policies.in_force(trip.car.country, trip.from_at)
    if policy is None or master_policies.read(policy).mode != "confirm_first":
        return
    from_at, to_at = _with_grace(master_policies.read(policy), trip)
    row = session.get(Confirmation, trip.rental, with_for_update=True, populate_existing=True)
    if row is None:
        row = Confirmation(rental_id=trip.rental, version=0)
    elif (row.policy_id, row.from_at, row.to_at, row.driver_id) == (policy.id, from_at, to_at, trip.driver):
        return
    if (row.policy_id, row.driver_id) != (policy.id, trip.driver):
        row.confirmed_from_at = row.confirmed_to_at = None
    row.version += 1
    row.policy_id, row.driver_id = policy.id, trip.driver
    row.driver_ref = driver_ref(policy.insurer_id, trip.driver)
    row.car = as_insured(trip.car)
    row.from_at, row.to_at = from_at, to_at
    row.state, row.asked_at, row.confirmed_at, row.reason = "asked", clock.now(), None, None
    session.add(row)
    session.flush()
    defer("confirm_cover", lock=row.cover_id, rental=row.rental_id, version=row.version)
    if row.asked_at < trip.from_at:
        deadlines.at("unconfirmed", trip.rental, max(trip.from_at - TOLD_BEFORE, row.asked_at + AT_LEAST))


def _with_grace(terms: MasterPolicy, trip: Trip) -> tuple[datetime, datetime]:
    early, late = (
        timedelta(minutes=minutes) for minutes in (terms.confirm_early_minutes, terms.confirm_late_minutes)
    )
    return to_ms(trip.from_at) - early, to_ms(trip.to_at) + late


def of(rental: str) -> Confirmation | None:
    """What was asked for a rental, with its state and when it was confirmed; None where nobody needed to."""
    found: Confirmation | None = session.get(Confirmation, rental)
    return found


def holds(policy: InForce, trip: Trip) -> bool:
    """Whether the insurer confirmed this driver in this car for the whole trip, under this policy."""
    row = of(trip.rental)
    return (
        row is not None
        and row.confirmed_from_at is not None
        and row.confirmed_to_at is not None
        and (row.policy_id, row.driver_id) == (policy.id, trip.driver)
        and row.confirmed_from_at <= trip.from_at
        and row.confirmed_to_at >= trip.to_at
    )


def is_missing(trip: Trip) -> bool:
    """The policy in force at the start wants to confirm first, and this trip is not confirmed."""
    policy = master_policies.in_force(trip.car.country, trip.from_at)
    first = policy is not None and master_policies.read(policy).mode == "confirm_first"
    return first and policy is not None and not holds(policy, trip)


@dataclass(frozen=True, slots=True)
class _Asked:
    insurer: str
    report: CoverReport
    pending: bool


@job("confirm_cover")
def confirm_cover(rental: str, version: int) -> None:
    """Ask the insurer, outside any transaction, and store its answer. Temporary errors come back by themselves."""
    asked = _asked(rental, version)
    if asked is None:
        return
    door = doors.insurer(asked.report.country, asked.insurer)
    if door is None:
        return
    try:
        answer = (door.read(asked.report.cover, version) if asked.pending else None) or door.report(
            asked.report
        )
    except InsurerRefused as error:
        _answered(rental, version, "refused", error.code)
        return
    _answered(rental, version, "confirmed" if answer.decision == "accepted" else "pending", None)


@transactional
def _asked(rental: str, version: int) -> _Asked | None:
    row = of(rental)
    if row is None or row.version != version or row.state not in ("asked", "pending"):
        return None
    policy = master_policies.find(row.policy_id)
    planned = Span(row.from_at, row.to_at)
    report = CoverReport(
        cover=row.cover_id,
        version=row.version,
        state="conditional",
        policy_number=policy.number,
        country=row.car["country"],
        car=InsuredCar(**row.car),
        driver_ref=row.driver_ref,
        planned=planned,
        liability=planned,
        own_damage=planned,
        recorded_at=row.asked_at,
    )
    return _Asked(policy.insurer_id, report, row.state == "pending")


@transactional
def _answered(rental: str, version: int, state: str, reason: str | None) -> None:
    row = session.get(Confirmation, rental, with_for_update=True, populate_existing=True)
    if row is None or row.version != version:
        return
    row.state, row.reason = state, reason
    if state == "confirmed":
        _confirmed(row)
    if state == "refused":
        facts.record(ConfirmationRefused(rental=rental))
    if state == "refused" and row.confirmed_to_at is None:
        insurer = master_policies.find(row.policy_id).insurer_id
        blocks.block(insurer, row.driver_id, row.cover_id, reason or "declined")
    if state == "pending":
        defer("confirm_cover", lock=row.cover_id, after_s=AGAIN_S, rental=rental, version=version)


@transactional
def confirmed_by_hand(cover: str, insurer: str) -> bool:
    """An insurer without an API of its own confirms here what it was asked. False when it was not asked that."""
    row = session.scalars(
        select(Confirmation)
        .join(Policy, Policy.id == Confirmation.policy_id)
        .where(Confirmation.cover_id == cover, Policy.insurer_id == insurer)
        .with_for_update(of=Confirmation)
    ).first()
    if row is None or row.state == "refused":
        return False
    row.state = "confirmed"
    _confirmed(row)
    return True


def _confirmed(row: Confirmation) -> None:
    row.confirmed_at, row.confirmed_from_at, row.confirmed_to_at = clock.now(), row.from_at, row.to_at
    deadlines.drop(row.rental_id, "unconfirmed")
