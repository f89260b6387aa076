"""What the eligibility rules look at in a driver, a car and a trip of ours; the rules are the insurance door's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import bindparam, exists, text

from app.cars import box
from app.cars.models import Box, Car
from app.coverage import confirm, master_policies
from app.coverage.master_policies import InForce
from app.coverage.models import DriverBlock, Policy
from app.coverage.trip import Trip
from app.kit import clock
from app.kit.db import PublicId, bare, session
from app.kit.driver import plain
from app.people import conditions, licence
from app.people.models import Person
from insurance.eligibility import (
    CarFacts,
    DriverFacts,
    Unacknowledged,
    reasons_against,
    reasons_against_delegation,
    reasons_against_driver,
)
from insurance.master_policy import Clearance, MasterPolicy
from insurance.period import Span

_LOOK = licence.STANDING.add_columns(
    conditions.ACCEPTED.label("accepted"),
    exists()
    .where(
        DriverBlock.insurer_id == bindparam("insurer", type_=PublicId("ins")),
        DriverBlock.person_id == Person.id,
        DriverBlock.lifted_at.is_(None),
    )
    .label("blocked"),
    exists()
    .where(Box.car_id == bindparam("car", type_=PublicId("car")), box.IN_SERVICE, Box.has_immobiliser)
    .label("immobiliser"),
)
"""All the rules look at in a driver and a car, beside the car's own row."""
MARGIN = 50
"""So many binds may be under way at once before the count of unacknowledged covers is taken in turn."""
_LICENCE = frozenset(
    {
        "licence_not_cleared",
        "clearance_too_weak",
        "licence_class_missing",
        "licence_too_recent",
        "licence_expires",
        "driver_age_unknown",
    }
)
NOT_CONFIRMED = "not_confirmed"
_CLEARANCE = frozenset({"licence_not_cleared", "clearance_too_weak"})


def of_trip(
    policy: InForce,
    trip: Trip,
    *,
    share_lock: bool = False,
    ahead: bool = False,
    planned_from: datetime | None = None,
    exact: bool = False,
) -> list[str]:
    """The codes against a trip that begins at `from_at`.

    `planned_from`: an early start does not make a rental too long. `ahead`: leave out what can be put right
    until the unlock. `exact`: count the unacknowledged covers in turn where they near the limit.
    """
    terms = master_policies.read(policy)
    if share_lock:
        licence.keep(trip.driver)
    rows = _look(policy, trip)
    standing = licence.judged(rows, trip.from_at)
    driver = _driver(rows[0], standing)
    car = _car(trip.car, terms, has_immobiliser=rows[0].immobiliser)
    span = Span(trip.from_at, max(trip.to_at, trip.from_at))
    reasons: list[str] = list(reasons_against(terms, driver, car, span))
    if planned_from is not None and planned_from > trip.from_at and "rental_too_long" in reasons:
        planned = Span(planned_from, max(trip.to_at, planned_from))
        if "rental_too_long" not in reasons_against(terms, driver, car, planned):
            reasons.remove("rental_too_long")
    reasons = _of_licence(reasons, standing)
    if ahead:
        left_out = {"conditions_not_accepted"} | (_CLEARANCE if standing.state != "refused" else set())
        return [one for one in reasons if one not in left_out]
    if terms.mode == "confirm_first" and not confirm.holds(policy, trip):
        reasons.append(NOT_CONFIRMED)
    return reasons + delegation_against(policy, car.declared_value, rental=trip.rental, exact=exact)


def of_driver(policy: InForce | Policy, trip: Trip) -> list[str]:
    """The codes that the rules of drivers have against the trip's."""
    terms = master_policies.read(policy)
    licence.keep(trip.driver)
    rows = _look(policy, trip)
    standing = licence.judged(rows, trip.from_at)
    car = _car(trip.car, terms, has_immobiliser=rows[0].immobiliser)
    span = Span(trip.from_at, trip.to_at)
    return _of_licence(reasons_against_driver(terms, _driver(rows[0], standing), car, span), standing)


def _of_licence(reasons: Sequence[str], standing: licence.Standing) -> list[str]:
    """Without a licence that is all there is to say of it."""
    if standing.licence is not None:
        return list(reasons)
    return [one for one in reasons if one == "licence_not_cleared" or one not in _LICENCE]


def delegation_against(
    policy: InForce, declared_value: int | None, *, rental: str | None = None, exact: bool = False
) -> list[str]:
    """Whether our written authority under the policy is used up for a car of this value, in the policy's currency.

    `rental`: whose cover would be bound; what it was given on condition already is not counted beside it.
    """
    terms = master_policies.read(policy)
    waiting = _waiting(policy, terms, declared_value or 0, rental, exact=exact)
    return list(reasons_against_delegation(terms, waiting, declared_value))


def _look(policy: InForce | Policy, trip: Trip) -> Sequence[Any]:
    rows = plain(
        _LOOK,
        {
            **licence.asked(trip.driver, trip.community, trip.from_at),
            "insurer": bare(policy.insurer_id, "ins"),
            "car": bare(trip.car.id, "car"),
        },
    )
    conditions.told(trip.driver, rows[0].accepted)
    return rows


def _driver(known: Any, standing: licence.Standing) -> DriverFacts:
    held = standing.licence
    facts = DriverFacts(
        birth_date=known.born,
        licence_classes=frozenset(),
        licence_issued_on=date.max,
        licence_expires_on=date.min,
        cleared_by=cast("Clearance | None", standing.level),
        accepted=frozenset(known.accepted),
        blocked=known.blocked,
    )
    if held is None:
        return facts
    return replace(
        facts,
        birth_date=held.birth_date,
        licence_classes=frozenset(held.classes),
        licence_issued_on=held.issued_on,
        licence_expires_on=held.expires_on,
    )


def _car(car: Car, terms: MasterPolicy, *, has_immobiliser: bool) -> CarFacts:
    return CarFacts(
        country=car.country,
        time_zone=car.time_zone,
        powertrain=car.powertrain,
        declared_value=declared_value(car, terms.currency),
        has_immobiliser=has_immobiliser,
        inspection_until=car.inspection_until,
    )


def declared_value(car: Car, currency: str) -> int | None:
    """The car's declared value in the policy's currency, minor units; None when it is not known in it."""
    value = car.declared_value
    return value["amount"] if value and value["currency"] == currency else None


_WAITING = text(
    "select count(*) as number, min(from_at) as oldest, coalesce(sum(declared_value), 0) as value from covers"
    " where policy_id = :policy and acknowledged_version is null and state <> 'void'"
    " and refused_reason is null and rental_id is distinct from cast(:rental as uuid)"
)
_IN_TURN = text("select pg_advisory_xact_lock(7004, hashtext(:policy))")


def _waiting(
    policy: InForce, terms: MasterPolicy, value: int, rental: str | None, *, exact: bool
) -> Unacknowledged:
    """The covers of this policy its insurer has not confirmed yet.

    Near a limit binds count in turn, so that two at once cannot both be the last one allowed.
    """
    asked = {"policy": bare(policy.id, "pol"), "rental": bare(rental, "ren") if rental else None}
    found = session.execute(_WAITING, asked).one()
    if exact and terms.mode == "delegated" and _is_near(terms, found, value):
        session.execute(_IN_TURN, {"policy": policy.id.removeprefix("pol_")})
        found = session.execute(_WAITING, asked).one()
    oldest = max(timedelta(0), clock.now() - found.oldest) if found.oldest else timedelta(0)
    return Unacknowledged(found.number, oldest, int(found.value))


def _is_near(terms: MasterPolicy, found: Any, value: int) -> bool:
    """Whether the binds that may be under way could reach a limit before this one is counted."""
    most, dearest = terms.max_sum_unacknowledged, terms.max_declared_value
    if found.number >= terms.max_open_unacknowledged - MARGIN:
        return True
    return most is not None and (dearest is None or found.value + value + MARGIN * dearest > most)
