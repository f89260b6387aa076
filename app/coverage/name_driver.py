"""Name further drivers for a rental and take them off: an endorsement of its cover, one version and one instant each.

The functions join the caller's transaction; the caller holds car and rental. There is one cover, and custody stays with
who booked.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from app.cars import access as cars
from app.coverage import eligibility, licence_check, master_policies, named_drivers, versions
from app.coverage.driver_models import NamedDriver
from app.coverage.master_policies import NO_POLICY, InForce
from app.coverage.models import Cover, Policy
from app.coverage.trip import Trip
from app.facts import CoverEndorsed, DriverNamed, DriverTakenOff
from app.kit import facts
from app.kit.db import session
from app.kit.errors import NotInsurable
from app.people.models import Person
from insurance import period

NO_MEMBER, TOO_MANY = "not_a_member", "too_many_drivers"
SYSTEM, INSURER = "system", "insurer"


def name(trip: Trip, person: str, *, by: str, at: datetime) -> None:
    """Insure another driver from `at` on, or from the rental's start; once named, nothing changes. Raises NotInsurable.

    They are judged by the rules that the one who booked was judged by, under the policy of the rental's cover.
    """
    if named_drivers.find(trip.rental, person) is not None:
        return
    cover = _endorsable(trip.rental)
    policy = _policy(trip, cover, at)
    if policy is None:
        raise NotInsurable("No insurer covers this rental.", driver=person, reasons=[NO_POLICY])
    most = master_policies.read(policy).max_named_drivers
    if len(named_drivers.of(trip.rental)) >= most:
        detail = f"The insurer covers {most} more drivers." if most else "The insurer covers no more drivers."
        raise NotInsurable(detail, driver=person, reasons=[TOO_MANY], limit=most)
    reasons = reasons_against(policy, trip, person, at)
    if reasons:
        raise NotInsurable("The insurer's rules do not allow this driver.", driver=person, reasons=reasons)
    session.add(NamedDriver(rental_id=trip.rental, person_id=person, named_at=period.to_ms(at)))
    licence_check.keep(trip.rental, person, at)
    session.flush()
    _endorse(cover)
    facts.record(DriverNamed(rental=trip.rental, person=person, by=by))


def take_off(row: NamedDriver, *, by: str, at: datetime, reasons: list[str] | None = None) -> None:
    """From `at` on this driver is not insured any more. `by` a person, the system or the insurer."""
    _end(row, by, at, reasons)
    _endorse(_endorsable(row.rental_id))


def _end(row: NamedDriver, by: str, at: datetime, reasons: list[str] | None) -> None:
    row.taken_off_at, row.taken_off_by = max(period.to_ms(at), row.named_at), by
    session.flush()
    why = ",".join(reasons) if reasons else None
    facts.record(DriverTakenOff(rental=row.rental_id, person=row.person_id, by=by, reasons=why))


def reasons_against(policy: InForce | Policy, trip: Trip, person: str, at: datetime) -> list[str]:
    """Why this person cannot be insured beside who booked; the rules of the car and its rental are not asked again."""
    begin = max(at, trip.from_at)
    theirs = replace(trip, driver=person, from_at=begin, to_at=max(trip.to_at, begin))
    member = cars.my_membership(trip.car, person, trip.community)
    account = session.get_one(Person, person)
    outside = [] if member is not None and account.suspended_at is None else [NO_MEMBER]
    return outside + eligibility.of_driver(policy, theirs)


def refused(trip: Trip, at: datetime) -> tuple[str, list[str]] | None:
    """The first of the named who may not be insured for this trip, a longer one than before, and why."""
    rows = named_drivers.of(trip.rental)
    policy = _policy(trip, _endorsable(trip.rental), at) if rows else None
    for row in rows:
        reasons = [NO_POLICY] if policy is None else reasons_against(policy, trip, row.person_id, at)
        if reasons:
            return row.person_id, reasons
    return None


def look_again(trip: Trip, policy: InForce, at: datetime) -> None:
    """A cover is about to be bound: who may not be insured under its policy any more is taken off, and all are told.

    It keeps nobody else from driving: the one who booked is insured without them.
    """
    most = master_policies.read(policy).max_named_drivers
    begun, kept = replace(trip, from_at=at), 0
    for row in named_drivers.of(trip.rental):
        reasons = [TOO_MANY] if kept >= most else reasons_against(policy, begun, row.person_id, at)
        if reasons:
            _end(row, SYSTEM, at, reasons)
        else:
            licence_check.keep(trip.rental, row.person_id, at)
            kept += 1


def move(rental: str, other: str, at: datetime) -> None:
    """Those named for a rental whose car failed drive in the one that takes its place; its cover judges them anew."""
    rows = named_drivers.of(rental)
    for row in rows:
        row.taken_off_at, row.taken_off_by = max(period.to_ms(at), row.named_at), SYSTEM
        session.add(NamedDriver(rental_id=other, person_id=row.person_id, named_at=period.to_ms(at)))
    session.flush()
    if rows:
        _endorse(_endorsable(rental))


def _policy(trip: Trip, cover: Cover | None, at: datetime) -> InForce | Policy | None:
    """Of the cover that is given; before, what is in force at the start."""
    if cover is not None:
        return master_policies.find(cover.policy_id)
    return master_policies.in_force(trip.car.country, max(at, trip.from_at))


def _endorsable(rental: str) -> Cover | None:
    """The rental's open or conditional cover, locked."""
    found: Cover | None = session.scalars(
        select(Cover)
        .where(Cover.rental_id == rental, Cover.state.in_(("conditional", "bound", "active")))
        .order_by(Cover.to_at.is_(None).desc())
        .limit(1)
        .with_for_update(),
        execution_options={"populate_existing": True},
    ).first()
    return found


def _endorse(cover: Cover | None) -> None:
    if cover is not None:
        versions.record(cover, CoverEndorsed)
