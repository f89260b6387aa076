"""The contract with an insurer under which covers are bound, as its JSON says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from insurance.period import LateRule, PremiumRate
from insurance.reader import (
    Fields,
    Invalid,
    country,
    currency,
    flag,
    instant,
    number,
    optional,
    several,
    text,
    word,
)

__all__ = ["CLEARANCE_RANK", "POWERTRAINS", "Clearance", "MasterPolicy", "PolicyInvalid"]

Clearance = Literal["owner", "operator", "provider"]
Mode = Literal["delegated", "confirm_first"]

# Who looked at the licence, weakest first: a policy that asks for an owner's look takes a provider's too.
CLEARANCE_RANK: Final[Mapping[Clearance, int]] = MappingProxyType({"owner": 0, "operator": 1, "provider": 2})
POWERTRAINS: Final = ("electric", "plug_in", "hybrid", "petrol", "diesel", "other")
_MONEY: Final = number(0, 10**12)


class PolicyInvalid(Invalid):
    """The policy cannot be used; `errors` are (JSON pointer, reason)."""


@dataclass(frozen=True, slots=True)
class MasterPolicy:
    """One version of one master policy; amounts are minor units of its currency.

    In mode `delegated` a cover is bound at once and told afterwards, while fewer than `max_open_unacknowledged`
    wait, none longer than `max_unacknowledged_age_hours`, and their cars and this one are declared to be worth
    at most `max_sum_unacknowledged` together; in `confirm_first` the insurer confirms the planned span ahead, with
    `confirm_early_minutes` before it and `confirm_late_minutes` after. A driver must have accepted every version in
    `conditions`. `max_named_drivers` may be insured besides who booked; a contract that does not speak of them has
    none.
    """

    number: str
    version: int
    insurer: str
    insurer_address: str
    policyholder: str
    countries: frozenset[str]
    territory: frozenset[str]
    currency: str
    valid_from: datetime
    valid_to: datetime
    min_driver_age: int
    min_licence_years: int
    licence_classes: frozenset[str]
    clearance: Clearance
    powertrains: frozenset[str]
    max_declared_value: int | None
    needs_immobiliser: bool
    needs_valid_inspection: bool
    late: LateRule
    mode: Mode
    max_open_unacknowledged: int
    max_unacknowledged_age_hours: int
    max_sum_unacknowledged: int | None
    confirm_early_minutes: int
    confirm_late_minutes: int
    max_rental_days: int
    premium: PremiumRate
    conditions: frozenset[str]
    max_named_drivers: int

    @classmethod
    def from_json(cls, value: Any) -> "MasterPolicy":
        """Read a policy; PolicyInvalid names every mistake at once."""
        errors: list[tuple[str, str]] = []
        fields = Fields(value, "", errors)
        _refuse_liability_before_the_lock(fields)
        money_of = fields.take("currency", currency)
        read = _plain(fields) | _limits(fields) | {"currency": money_of}
        read |= _insurer(fields.object("insurer"))
        read["late"] = _late(fields.object("late"))
        read["premium"] = _premium(fields.object("premium"), money_of)
        fields.end()
        if errors:
            raise PolicyInvalid(errors)
        policy = cls(**read)
        _check_together(policy, errors)
        if errors:
            raise PolicyInvalid(errors)
        return policy

    def in_force(self, at: datetime) -> bool:
        """Whether a cover that begins then falls under it; one begun before the end runs off under it."""
        return self.valid_from <= at < self.valid_to


def _refuse_liability_before_the_lock(fields: Fields) -> None:
    """Third parties are never without cover while the car is out, whatever a contract offers."""
    until = fields.take("liability_until", text, "lock")
    if until != "lock":
        fields.note(
            "liability_until", "liability runs to the lock: a policy that ends it earlier is not usable"
        )


def _plain(fields: Fields) -> dict[str, Any]:
    return {
        "number": fields.take("number", text),
        "version": fields.take("version", number(1, 10**6)),
        "policyholder": fields.take("policyholder", text),
        "countries": fields.take("countries", several(country)),
        "territory": fields.take("territory", several(country)),
        "valid_from": fields.take("valid_from", instant),
        "valid_to": fields.take("valid_to", instant),
        "licence_classes": fields.take("licence_classes", several(text)),
        "clearance": fields.take("clearance", word(*CLEARANCE_RANK)),
        "powertrains": fields.take("powertrains", several(word(*POWERTRAINS)), frozenset(POWERTRAINS)),
        "needs_immobiliser": fields.take("needs_immobiliser", flag),
        "needs_valid_inspection": fields.take("needs_valid_inspection", flag),
        "mode": fields.take("mode", word("delegated", "confirm_first")),
        "conditions": fields.take("conditions", several(text)),
    }


def _limits(fields: Fields) -> dict[str, Any]:
    return {
        "min_driver_age": fields.take("min_driver_age", number(16, 99)),
        "min_licence_years": fields.take("min_licence_years", number(0, 50)),
        "max_declared_value": fields.take("max_declared_value", optional(_MONEY), None),
        "max_open_unacknowledged": fields.take("max_open_unacknowledged", number(0, 10**6)),
        "max_unacknowledged_age_hours": fields.take("max_unacknowledged_age_hours", number(1, 24 * 30)),
        "max_sum_unacknowledged": fields.take("max_sum_unacknowledged", optional(_MONEY), None),
        "confirm_early_minutes": fields.take("confirm_early_minutes", number(0, 24 * 60), 15),
        "confirm_late_minutes": fields.take("confirm_late_minutes", number(0, 7 * 24 * 60), 120),
        "max_rental_days": fields.take("max_rental_days", number(1, 365)),
        "max_named_drivers": fields.take("max_named_drivers", number(0, 9), 0),
    }


def _insurer(fields: Fields) -> dict[str, str]:
    read = {"insurer": fields.take("name", text), "insurer_address": fields.take("address", text)}
    fields.end()
    return read


def _late(fields: Fields) -> LateRule:
    rule = fields.take("rule", word("stop", "reported", "lock"))
    hours = fields.take("hours", number(0, 24 * 30), 0)
    if (rule == "reported") is not (hours != 0):
        fields.note("hours", "the rule 'reported' needs the hours it goes on for, the others have none")
    fields.end()
    return LateRule(rule, hours)


def _premium(fields: Fields, money_of: str) -> PremiumRate:
    """Fields of the other way of counting are not known here: kilometres have no minutes, and hours no kilometres."""
    per = fields.take("per", word("hour", "day", "km"))
    rate = PremiumRate(
        currency=money_of,
        per=per,
        amount=fields.take("amount", _MONEY),
        day_cap=fields.take("day_cap", optional(_MONEY), None),
        cap=fields.take("cap", optional(_MONEY), None),
        **(_by_km(fields) if per == "km" else _by_time(fields)),
    )
    fields.end()
    return rate


def _by_time(fields: Fields) -> dict[str, Any]:
    return {
        "minimum_minutes": fields.take("minimum_minutes", number(0, 24 * 60), 0),
        "basis": fields.take("basis", word("covered", "charged"), "covered"),
    }


def _by_km(fields: Fields) -> dict[str, Any]:
    """Without an odometer kilometres still cost something: a policy that does not say how many is not usable."""
    return {
        "minimum_km": fields.take("minimum_km", number(1, 1000), 1),
        "untold_km_per_hour": fields.take("untold_km_per_hour", number(1, 250)),
    }


def _check_together(policy: MasterPolicy, errors: list[tuple[str, str]]) -> None:
    if policy.valid_to <= policy.valid_from:
        errors.append(("/valid_to", "is to lie after valid_from"))
    if not policy.countries <= policy.territory:
        errors.append(("/territory", "is to hold every country the policy is for"))
    if policy.mode == "delegated" and policy.max_open_unacknowledged == 0:
        errors.append(("/max_open_unacknowledged", "a delegated policy that allows none could never bind"))
    most = policy.max_sum_unacknowledged
    if most is not None and policy.max_declared_value is not None and most < policy.max_declared_value:
        errors.append(("/max_sum_unacknowledged", "is to hold at least one car of max_declared_value"))
    if policy.mode == "confirm_first" and policy.max_named_drivers:
        errors.append(
            ("/max_named_drivers", "an insurer that confirms first is asked about the one who booked alone")
        )
