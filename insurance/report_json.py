"""A cover report as the wire has it, and what of it must agree when the insurer shows what it holds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from insurance.partner import CoverReport
from insurance.period import Span, to_ms

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
        "planned": _span(report.planned),
        "liability": _span(report.liability),
        "own_damage": _span(report.own_damage),
        "recorded_at": _instant(report.recorded_at),
        "covered_minutes": report.covered_minutes,
        "charged_minutes": report.charged_minutes,
        "premium": premium and {"amount": premium.amount, "currency": premium.currency},
        "end_evidence": report.end_evidence,
    }


def differences(report: CoverReport, held: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what the insurer holds differently; its way of writing an instant does not count."""
    ours = to_json(report)
    plain = [name for name in COMPARED if held.get(name) != ours[name]]
    plate = ["car.plate"] if _plate(held) != report.car.plate else []
    spans = [name for name in SPANS if _read_span(held.get(name)) != getattr(report, name)]
    return tuple(plain + plate + spans)


def _span(span: Span) -> dict[str, str | None]:
    return {"from": _instant(span.from_at), "to": None if span.to_at is None else _instant(span.to_at)}


def _instant(at: datetime) -> str:
    return to_ms(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plate(held: Mapping[str, Any]) -> Any:
    car = held.get("car")
    return car.get("plate") if isinstance(car, Mapping) else None


def _read_span(held: Any) -> Span | None:
    try:
        to_at = held["to"]
        return Span(
            datetime.fromisoformat(held["from"]), None if to_at is None else datetime.fromisoformat(to_at)
        )
    except (KeyError, TypeError, ValueError):
        return None
