"""Where a car stands: at its place or zone, where a rental may end, judged on fresh readings alone."""

import math
from datetime import datetime, timedelta

from app.cars import alerts, readings
from app.cars.models import Box, Car

FRESH, LATELY = timedelta(seconds=60), timedelta(minutes=10)
METRES_PER_DEGREE = 111_195
IN_SIGHT_M = 500
"""Who looks for a car at the place of its rental finds it within so many metres; of a wide zone it may stand anywhere."""


def outside(car: Car, box: Box | None, at: datetime) -> bool:
    """True only when a reading under 60 s old shows the car outside its return rule."""
    if car.return_rule is None:
        return False
    away = _away_m(car, box, FRESH, at)
    return away is not None and away > float(car.return_rule["radius_m"])


def seen_there(car: Car, box: Box | None, at: datetime) -> datetime | None:
    """When its box reported it at the place that its driver is shown, in the last ten minutes; None where it did not.

    Only a car with a return rule has a place; where a car was carried off, its box may not know yet where to.
    """
    if car.return_rule is None or "carried" in alerts.standing(box):
        return None
    away = _away_m(car, box, LATELY, at)
    near = away is not None and away <= min(float(car.return_rule["radius_m"]), IN_SIGHT_M)
    return readings.instant(box, "latitude") if near else None


def _away_m(car: Car, box: Box | None, within: timedelta, at: datetime) -> float | None:
    """Metres from the car's place; None where its box has not said that lately."""
    lat = readings.recent(box, "latitude", within, at)
    lon = readings.recent(box, "longitude", within, at)
    if lat is None or lon is None:
        return None
    north = (lat - car.home_lat) * METRES_PER_DEGREE
    east = (lon - car.home_lon) * METRES_PER_DEGREE * math.cos(math.radians(car.home_lat))
    return math.hypot(north, east)
