"""A stated distance against the charge foreseen at the start: warned, or refused where the owner's rule says so."""

from datetime import datetime
from typing import Any

from app.cars import box as boxes
from app.cars import charge_plan
from app.cars.models import Car
from app.kit import i18n
from app.kit.errors import OutsideRules
from app.rentals.models import Quote


def foreseen_range(car: Car, at: datetime, km: int | None) -> int | None:
    """How far the car will go from its start, in km; None without a stated distance, or where it cannot be said."""
    if km is None or car.powertrain != "electric":
        return None
    found = charge_plan.foreseen(car, boxes.live(car.id), at)
    return found.range_km if found is not None else None


def check(car: Car, km: int | None, range_km: int | None) -> None:
    """Raises OutsideRules for a distance beyond the range, where the owner refuses such rentals."""
    if is_too_far(km, range_km) and (car.charge_rule or {}).get("distance") == "refuse":
        raise OutsideRules(
            f"The charge foreseen at the start is enough for {range_km} km.", rule="distance", limit=range_km
        )


def is_too_far(km: int | None, range_km: int | None) -> bool:
    return km is not None and range_km is not None and km > range_km


def warnings(frozen: Quote) -> list[dict[str, Any]]:
    """What the driver is told with the price, as it was foreseen then."""
    if not is_too_far(frozen.expected_km, frozen.range_km):
        return []
    text = i18n.say("warning.range", km=frozen.range_km)
    return [{"code": "range", "limit": frozen.range_km, "text": text}]
