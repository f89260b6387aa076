"""Grants that were handed out and may still open the car: what holds as long as one is out.

Its rental is covered, at least on condition; its slot is not given away. Out means: not run out, and not dead at the box.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select

from app.cars import custody, occupancy
from app.cars.models import Car, Companion
from app.communities import access as communities
from app.coverage import ahead, conditional
from app.coverage.cover import Trip
from app.coverage.models import Cover
from app.facts import (
    CarBarred,
    CarStolen,
    CoverRefused,
    DriverBlocked,
    GrantsRevoked,
    LicenceRefused,
    MembershipChanged,
    PersonSuspended,
    PhoneRemoved,
)
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.rentals import access
from app.rentals.lifecycle import State
from app.rentals.models import Grant, OfflineReceipt, Rental
from carbox.grant_exchange import EDGE_S
from carbox.revocations import MOST_REVOKED

LOOK_AGAIN = timedelta(hours=1)
EDGE = timedelta(seconds=EDGE_S)
"""A box takes a grant so long before and after its window, since its clock may be off by as much."""
OVER = (State.CANCELLED, State.NO_SHOW)
"""States whose slot is kept while a grant is out, and given away then."""


def of_rental(rental: str) -> list[Grant]:
    """Those that may still open the car, oldest first."""
    return list(
        session.scalars(
            select(Grant)
            .where(Grant.rental_id == rental, Grant.dead_at.is_(None), Grant.not_after > clock.now() - EDGE)
            .order_by(Grant.id)
        )
    )


def until(rental: str) -> datetime | None:
    """When the last of them has run out; None when none is out."""
    return max((one.not_after + EDGE for one in of_rental(rental)), default=None)


def of_car(car_id: str) -> list[str]:
    """What keeps the box of a car where it is: a box that was replaced could not be told that a grant is dead."""
    statement = (
        select(Grant.rental_id)
        .join(Rental, Rental.id == Grant.rental_id)
        .where(Rental.car_id == car_id, Grant.dead_at.is_(None), Grant.not_after > clock.now() - EDGE)
    )
    return [f"rental {one}" for one in sorted(set(session.scalars(statement)))]


def in_hand(rental: str, phone: str | None) -> bool:
    """Whether this phone can open the car without us."""
    return phone is not None and any(
        one.phone_id == phone and not one.revoked_at for one in of_rental(rental)
    )


def revoked_for(rental: str, why: str) -> bool:
    """Whether one was ever taken back for this reason."""
    found = select(Grant.id).where(Grant.rental_id == rental, Grant.revoked_for == why)
    return session.execute(found.limit(1)).first() is not None


def has_car(rental: Rental) -> bool:
    """By our books the driver of this rental has the car."""
    held = custody.current(rental.car_no)
    return held is not None and held.rental_id == rental.id


def trip(car: Car, rental: Rental) -> Trip:
    return Trip(rental.id, car, rental.driver_id, rental.community_id, rental.from_at, rental.to_at)


def revoke(rental: str, why: str, *, phone: str | None = None) -> None:
    """Take back what is out, or what one phone has: each is put on the next list for its box.

    It is dead when the box says so, not before. The caller holds car and rental.
    """
    live = [one for one in of_rental(rental) if one.revoked_at is None and phone in (None, one.phone_id)]
    for one in live:
        companion = session.get_one(Companion, one.box_id, with_for_update=True, populate_existing=True)
        if len(listed(companion)) >= MOST_REVOKED:
            _raise_floor(companion)
        companion.serial += 1
        one.revoked_at, one.revoked_for, one.revoked_serial = clock.now(), why, companion.serial
        session.flush()
    if live:
        facts.record(GrantsRevoked(rental=rental, reason=why))


def listed(companion: Companion) -> list[Grant]:
    """What the next list for a box names: revoked, not run out, and not below the floor, which names the rest."""
    return list(
        session.scalars(
            select(Grant).where(
                Grant.box_id == companion.box_id,
                Grant.revoked_at.is_not(None),
                Grant.not_after > clock.now() - EDGE,
                Grant.floor >= companion.floor,
            )
        )
    )


def _raise_floor(companion: Companion) -> None:
    """The list is full: every grant so far is dead under the next floor; phones whose rental is good fetch another."""
    companion.floor += 1


def keep_covered(car: Car, rental: Rental) -> None:
    """The rental's open cover is gone, a grant may still open the car: covered on condition. The caller holds both rows."""
    out = until(rental.id)
    if out is not None:
        ahead.keep(trip(car, rental), clock.now(), out)
        deadlines.at("grant", rental.id, out)


def rental_over(car: Car, rental: Rental) -> None:
    """The car is the owner's again: what is out is taken back, and covered as long as it may open the car."""
    if of_rental(rental.id):
        revoke(rental.id, "ended")
        keep_covered(car, rental)


def give_slot_back(rental: Rental, why: str) -> None:
    """The rental is not to be: its slot is free, but not before no grant can open the car any more."""
    out = until(rental.id)
    if out is None:
        if not _untold(rental.id):
            conditional.drop(rental.id, "no grant opened the car")
        occupancy.vacate(rental.id)
        return
    revoke(rental.id, why)
    deadlines.at("grant", rental.id, out)


def judged_later(rental: Rental) -> datetime | None:
    """Nobody came as far as we know, but a grant may have opened the car: it is taken back, and judged at this instant.

    None where none is out: an absence may be judged now.
    """
    out = until(rental.id)
    if out is None and not _untold(rental.id):
        return None
    revoke(rental.id, "no_show")
    return out or clock.now() + LOOK_AGAIN


def _untold(rental: str) -> bool:
    """A box has signed something that could not become custody and cover yet."""
    waiting = select(OfflineReceipt.sequence).where(
        OfflineReceipt.rental_id == rental, OfflineReceipt.at.is_(None)
    )
    return session.execute(waiting.limit(1)).first() is not None


@transactional
def lapse(rental_id: str) -> None:
    """What is out has run out."""
    _, rental = access.locked(rental_id)
    out = until(rental.id)
    if out is not None:
        deadlines.at("grant", rental.id, out)
        return
    none_left(rental)


def none_left(rental: Rental) -> None:
    """No grant opens the car any more: what stood on condition falls, the slot is given away, an absence is judged."""
    if until(rental.id) is not None or _untold(rental.id):
        return
    conditional.drop(rental.id, "no grant opened the car")
    deadlines.drop(rental.id, "grant")
    now = clock.now()
    if rental.stands in OVER and not has_car(rental):
        occupancy.vacate(rental.id)
    elif rental.stands is State.BOOKED:
        missed = rental.from_at + timedelta(minutes=rental.terms["no_show_min"])
        if missed <= now:
            deadlines.at("no_show", rental.id, now)
        if rental.to_at <= now:
            deadlines.at("late", rental.id, now)


@transactional
def of_removed_phone(fact: PhoneRemoved) -> None:
    """A phone was removed, perhaps lost: whatever it holds is taken back."""
    statement = select(Grant.rental_id).where(Grant.phone_id == fact.phone, Grant.revoked_at.is_(None))
    for rental in sorted(set(session.scalars(statement))):
        access.locked(rental)
        revoke(rental, "phone_removed", phone=fact.phone)


@transactional
def of_suspended(fact: PersonSuspended) -> None:
    """A suspended person begins no rental, with signal or without; one that is out runs to its lock."""
    _take_back_of_booked(Rental.driver_id == fact.person, "suspended")


@transactional
def of_refused_licence(fact: LicenceRefused) -> None:
    """No licence, no start."""
    _take_back_of_booked(Rental.driver_id == fact.person, "licence")


@transactional
def of_barred_car(fact: CarBarred | CarStolen) -> None:
    """Nobody unlocks a car that an operator has found unsafe, or that was stolen."""
    _take_back_of_booked(Rental.car_id == fact.car, "unsafe")


@transactional
def of_unsafe_car(car: str) -> None:
    """A damage was reported with which nobody is to drive."""
    _take_back_of_booked(Rental.car_id == car, "unsafe")


@transactional
def of_refused_cover(fact: CoverRefused) -> None:
    """The insurer refused after the bind: what was given stands, but nobody is to begin under it."""
    _take_back_of_booked(Rental.id == fact.rental, "cover")


@transactional
def of_blocked_driver(fact: DriverBlocked) -> None:
    """The insurer will not have this driver any more: nothing begins under the covers it had promised them."""
    promised = select(Cover.rental_id).where(
        Cover.insurer_id == fact.insurer, Cover.driver_id == fact.person, Cover.state == "conditional"
    )
    _take_back_of_booked(Rental.id.in_(promised), "insurer")


@transactional
def of_changed_membership(fact: MembershipChanged) -> None:
    """Who is blocked in a community begins no rental of it; any other change leaves the grants as they are."""
    membership = communities.membership(fact.community, fact.person)
    if membership is not None and membership.blocked:
        whose = and_(Rental.driver_id == fact.person, Rental.community_id == fact.community)
        _take_back_of_booked(whose, "blocked")


def _take_back_of_booked(whose: ColumnElement[bool], why: str) -> None:
    statement = (
        select(Grant.rental_id)
        .join(Rental, Rental.id == Grant.rental_id)
        .where(whose, Rental.state == State.BOOKED.value, Grant.revoked_at.is_(None))
    )
    for rental in sorted(set(session.scalars(statement))):
        if access.locked(rental)[1].stands is State.BOOKED:
            revoke(rental, why)
