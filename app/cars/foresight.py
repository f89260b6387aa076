"""What is foreseen of a car, as owner and driver see it beside its state: charge, 12 V battery, what stands."""

from datetime import datetime
from typing import Any

from app.cars import alerts, charge_forecast, charge_plan, hourly, readings, twelve_volt
from app.cars.models import Box, Car, HourlyReading
from app.kit import clock


def shown(car: Car, box: Box | None, *, to_owner: bool) -> dict[str, Any]:
    """The part of the state that is not a reading."""
    now = clock.now()
    rows = hourly.of(car.no, now - charge_plan.LEARNS_FROM)
    percent, plugged = readings.value(box, "charge_percent"), readings.value(box, "plugged")
    return {
        "charged_since_use": charge_forecast.charged_since_use(
            hourly.samples(rows), percent, plugged=plugged
        ),
        "forecast": _forecast(car, box),
        "battery_12v_trend": _trend(car, rows, now) if to_owner else None,
        "alerts": [
            {"cause": cause, "since": datetime.fromisoformat(told["since"])}
            for cause, told in sorted(alerts.standing(box).items())
            if alerts.still_booked(told.get("for"))
        ],
    }


def _forecast(car: Car, box: Box | None) -> dict[str, Any] | None:
    """At the start of the next rental; None without one."""
    following = charge_plan.next_use(car)
    if following is None:
        return None
    rental, at = following
    found = charge_plan.foreseen(car, box, at)
    if found is None:
        return None
    needed = found.needed((car.charge_rule or {}).get("min_start"), charge_plan.km_of(car, rental))
    return {
        "at": at,
        "charge_percent": round(found.charge.percent, 1),
        "low": round(found.charge.low, 1),
        "high": round(found.charge.high, 1),
        "range_km": found.range_km,
        "needed_percent": round(needed, 1) if needed is not None else None,
        "enough": found.charge.percent >= needed if needed is not None else None,
    }


def _trend(car: Car, rows: list[HourlyReading], now: datetime) -> dict[str, Any]:
    rests = hourly.rests(rows)
    found = twelve_volt.trend(rests, now)
    since = now - twelve_volt.WINDOW
    falls = twelve_volt.falls(rests, alerts.holders(car.no, since))
    return {
        "volts_per_day": round(found.volts_per_day, 3) if found else None,
        "low_in_days": round(found.low_in_days, 1) if found and found.low_in_days is not None else None,
        "falls": falls[:50],
    }
