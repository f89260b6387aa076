"""A cover report as the wire has it, and what of it must agree when the insurer shows what it holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from insurance.partner import CoverReport, NamedDriver
from insurance.period import Span, instant

# An insurer may leave out or add the rest; a difference here would be a difference in cover.
COMPARED: Final = ("cover", "version", "state", "policy_number", "driver_ref")
SPANS: Final = ("liability", "own_damage")


def to_json(report: CoverReport) -> dict[str, Any]:
    """The whole report; a null `to` is an open end."""
    premium, car = report.premium, report.car
    return {
        "cover": report.cover,
        "version": report.version,
        "state": report.state,
        "policy_number": report.policy_number,
        "country": report.country,
        "car": {
            "plate": car.plate,
            "country": car.country,
            "vin": car.vin,
            "make": car.make,
            "model": car.model,
        },
        "driver_ref": report.driver_ref,
        "named_drivers": [_named(one) for one in report.named_drivers],
        "left_territory": [{"country": one.country, "at": instant(one.at)} for one in report.left_territory],
        "planned": report.planned.as_json(),
        "liability": report.liability.as_json(),
        "own_damage": report.own_damage.as_json(),
        "recorded_at": instant(report.recorded_at),
        "covered_minutes": report.covered_minutes,
        "charged_minutes": report.charged_minutes,
        "charged_km": report.charged_km,
        "km_from": report.km_from,
        "premium": premium and {"amount": premium.amount, "currency": premium.currency},
        "end_evidence": report.end_evidence,
    }


def differences(report: CoverReport, held: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what the insurer holds differently; its way of writing an instant does not count."""
    ours = to_json(report)
    plain = [name for name in COMPARED if held.get(name) != ours[name]]
    plate = ["car.plate"] if _plate(held) != report.car.plate else []
    spans = [name for name in SPANS if _read_span(held.get(name)) != getattr(report, name)]
    return tuple(plain + plate + spans + _differing_drivers(report, held))


def _named(one: NamedDriver) -> dict[str, Any]:
    return {"driver_ref": one.driver_ref, **one.insured.as_json()}


def _differing_drivers(report: CoverReport, held: Mapping[str, Any]) -> list[str]:
    """An insurer that keeps no named drivers holds nothing else about them."""
    named = held.get("named_drivers")
    if named is None:
        return []
    if not isinstance(named, list):
        return ["named_drivers"]
    ours = [(one.driver_ref, one.insured) for one in report.named_drivers]
    theirs = [(one.get("driver_ref"), _read_span(one)) for one in named if isinstance(one, Mapping)]
    return [] if theirs == ours and len(theirs) == len(named) else ["named_drivers"]


def _plate(held: Mapping[str, Any]) -> Any:
    car = held.get("car")
    return car.get("plate") if isinstance(car, Mapping) else None


def _read_span(held: Any) -> Span | None:
    try:
        to_at = held["to"]
        return Span(
            datetime.fromisoformat(held["from"]), None if to_at is None else datetime.fromisoformat(to_at)
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
