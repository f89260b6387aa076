"""An insurer asks what we would do: the rules of the bind on facts it makes up; nothing is stored."""

from datetime import datetime
from typing import Any

from app.coverage import master_policies
from app.coverage.eligibility import delegation_against
from app.coverage.master_policies import NO_POLICY
from app.kit.errors import Validation
from insurance.eligibility import CarFacts, DriverFacts, reasons_against
from insurance.master_policy import MasterPolicy
from insurance.period import Span, estimate


def pre_check(insurer: str, body: dict[str, Any]) -> dict[str, Any]:
    """eligible, with every reason against it, under the insurer's policy in force at the start, and what it would cost.

    Raises Validation.
    """
    span = _span(body["span"]["from_"], body["span"]["to"])
    policy = master_policies.in_force(body["country"], span.from_at)
    if policy is None or policy.insurer_id != insurer:
        return {
            "eligible": False,
            "reasons": [NO_POLICY],
            "max_named_drivers": 0,
            "master_policy": None,
            "premium": None,
        }
    terms = master_policies.read(policy)
    car = _car(body["country"], body["car"], terms)
    reasons = [
        *reasons_against(terms, _driver(body["driver"]), car, span),
        *delegation_against(policy, car.declared_value),
    ]
    named = {"id": policy.id, "number": policy.number, "version": policy.version}
    amount = estimate(terms.premium, span, body["expected_km"])
    return {
        "eligible": not reasons,
        "reasons": reasons,
        "max_named_drivers": terms.max_named_drivers,
        "master_policy": named,
        "premium": None if amount is None else {"amount": amount, "currency": terms.currency},
    }


def _span(from_at: datetime, to_at: datetime) -> Span:
    try:
        return Span(from_at, to_at)
    except ValueError as error:
        raise Validation(
            errors=[{"pointer": "/span/to", "code": "invalid", "detail": "Must lie after its beginning."}]
        ) from error


def _driver(given: dict[str, Any]) -> DriverFacts:
    return DriverFacts(
        birth_date=given["birth_date"],
        licence_classes=frozenset(given["licence_classes"]),
        licence_issued_on=given["licence_issued_on"],
        licence_expires_on=given["licence_expires_on"],
        cleared_by=given["cleared_by"],
        accepted=frozenset(given["accepted"]),
    )


def _car(country: str, given: dict[str, Any], terms: MasterPolicy) -> CarFacts:
    value = given["declared_value"]
    return CarFacts(
        country=country,
        time_zone=given["time_zone"],
        powertrain=given["powertrain"],
        declared_value=value["amount"] if value and value["currency"] == terms.currency else None,
        has_immobiliser=given["has_immobiliser"],
        inspection_until=given["inspection_until"],
    )
