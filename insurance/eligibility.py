"""Would this cover be bound? The same rules answer a pre-check and the bind itself."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from insurance.master_policy import CLEARANCE_RANK, Clearance, MasterPolicy
from insurance.period import Span

RULES: Final = 1
"""Counts up when a rule below decides differently; evidence names it beside the policy's version."""
Reason = Literal[
    "policy_not_in_force",
    "country_not_covered",
    "rental_too_long",
    "driver_blocked",
    "driver_age_unknown",
    "driver_too_young",
    "licence_not_cleared",
    "clearance_too_weak",
    "licence_class_missing",
    "licence_too_recent",
    "licence_expires",
    "conditions_not_accepted",
    "powertrain_not_covered",
    "value_unknown",
    "value_too_high",
    "immobiliser_missing",
    "inspection_expired",
    "too_many_unacknowledged",
    "unacknowledged_too_old",
    "unacknowledged_sum_too_high",
]
LIMITS: Final[frozenset[Reason]] = frozenset(
    {"too_many_unacknowledged", "unacknowledged_too_old", "unacknowledged_sum_too_high"}
)
"""Reasons that lie with neither driver nor car: our written authority is used up until the insurer takes note."""


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """What the rules look at in a driver; `cleared_by` None until the licence was checked.

    `blocked`: the insurer refused an earlier cover of this driver. `accepted` names versions of conditions.
    """

    birth_date: date | None
    licence_classes: frozenset[str]
    licence_issued_on: date
    licence_expires_on: date
    cleared_by: Clearance | None
    accepted: frozenset[str]
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class CarFacts:
    """What the rules look at in a car; the declared value is in minor units of the policy's currency."""

    country: str
    time_zone: str
    powertrain: str
    declared_value: int | None
    has_immobiliser: bool
    inspection_until: date | None


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """The covers of this policy the insurer has not confirmed yet; `value` is what their cars are declared to be worth."""

    count: int
    oldest_age: timedelta
    value: int = 0


def reasons_against(policy: MasterPolicy, driver: DriverFacts, car: CarFacts, span: Span) -> list[Reason]:
    """Every rule this rental breaks, in a fixed order; none: it is eligible. `span` is planned and closed.

    Days are counted on the car's calendar: a birthday and a licence's first day begin at its midnight.
    """
    return (
        _against_the_rental(policy, car, span)
        + reasons_against_driver(policy, driver, car, span)
        + _against_the_car(policy, car, span)
    )


def reasons_against_delegation(
    policy: MasterPolicy, waiting: Unacknowledged, declared_value: int | None
) -> list[Reason]:
    """Whether our written authority is used up; a policy that confirms first does not lean on it.

    `declared_value`: of the car that would join them. One that is not known is refused by the rules of the car.
    """
    if policy.mode != "delegated":
        return []
    oldest, most = timedelta(hours=policy.max_unacknowledged_age_hours), policy.max_sum_unacknowledged
    value = waiting.value + (declared_value or 0)
    rules: list[tuple[Reason, bool]] = [
        ("too_many_unacknowledged", waiting.count >= policy.max_open_unacknowledged),
        ("unacknowledged_too_old", waiting.count > 0 and waiting.oldest_age > oldest),
        ("unacknowledged_sum_too_high", most is not None and value > most),
    ]
    return _broken(rules)


def _against_the_rental(policy: MasterPolicy, car: CarFacts, span: Span) -> list[Reason]:
    length = _end(span) - span.from_at
    return _broken(
        [
            ("policy_not_in_force", not policy.in_force(span.from_at)),
            ("country_not_covered", car.country not in policy.countries),
            ("rental_too_long", length > timedelta(days=policy.max_rental_days)),
        ]
    )


def reasons_against_driver(
    policy: MasterPolicy, driver: DriverFacts, car: CarFacts, span: Span
) -> list[Reason]:
    """Those of the rules that look at who drives: all there is to ask of a driver named besides who booked."""
    zone = ZoneInfo(car.time_zone)
    first = span.from_at.astimezone(zone).date()
    last = _end(span).astimezone(zone).date()
    born, cleared = driver.birth_date, driver.cleared_by
    return _broken(
        [
            ("driver_blocked", driver.blocked),
            ("driver_age_unknown", born is None),
            ("driver_too_young", born is not None and full_years(born, first) < policy.min_driver_age),
            ("licence_not_cleared", cleared is None),
            ("clearance_too_weak", cleared is not None and _weaker(cleared, policy.clearance)),
            ("licence_class_missing", not driver.licence_classes & policy.licence_classes),
            ("licence_too_recent", full_years(driver.licence_issued_on, first) < policy.min_licence_years),
            ("licence_expires", driver.licence_expires_on < last),
            ("conditions_not_accepted", not policy.conditions <= driver.accepted),
        ]
    )


def _against_the_car(policy: MasterPolicy, car: CarFacts, span: Span) -> list[Reason]:
    last = _end(span).astimezone(ZoneInfo(car.time_zone)).date()
    value, most = car.declared_value, policy.max_declared_value
    counts = most is not None or (policy.mode == "delegated" and policy.max_sum_unacknowledged is not None)
    inspected = car.inspection_until is not None and car.inspection_until >= last
    return _broken(
        [
            ("powertrain_not_covered", car.powertrain not in policy.powertrains),
            ("value_unknown", counts and value is None),
            ("value_too_high", most is not None and value is not None and value > most),
            ("immobiliser_missing", policy.needs_immobiliser and not car.has_immobiliser),
            ("inspection_expired", policy.needs_valid_inspection and not inspected),
        ]
    )


def full_years(since: date, on: date) -> int:
    """Whole years between two days; one born on 29 February has a birthday on 1 March of common years."""
    return on.year - since.year - ((on.month, on.day) < (since.month, since.day))


def _broken(rules: list[tuple[Reason, bool]]) -> list[Reason]:
    return [reason for reason, broken in rules if broken]


def _weaker(have: Clearance, need: Clearance) -> bool:
    return CLEARANCE_RANK[have] < CLEARANCE_RANK[need]


def _end(span: Span) -> datetime:
    if span.to_at is None:
        raise ValueError("eligibility is asked for a planned span, with its end")
    return span.to_at
