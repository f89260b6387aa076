"""Where a rental may end, judged on a fresh reading alone: the car's place or zone; and whether the car stands there."""

import math
from datetime import datetime, timedelta

from app.cars import box as boxes
from app.cars import readings
from app.cars.models import Box, Car
from app.kit.keys import settings

FRESH = timedelta(seconds=60)
METRES_PER_DEGREE = 111_195
AROUND_HOME_M = 500
"""A car without a return rule stands at its place as far from it as this."""


def outside(car: Car, box: Box | None, at: datetime) -> bool:
    """True only when a reading under 60 s old shows the car outside its return rule."""
    if car.return_rule is None:
        return False
    lat = readings.recent(box, "latitude", FRESH, at)
    lon = readings.recent(box, "longitude", FRESH, at)
    return (
        lat is not None and lon is not None and _from_home(car, lat, lon) > float(car.return_rule["radius_m"])
    )


def is_home(car: Car, box: Box | None) -> bool:
    """True only when a box that is heard last said that the car stands at its place."""
    lat, lon = readings.value(box, "latitude"), readings.value(box, "longitude")
    if lat is None or lon is None or not boxes.heard_within(box, settings().box_heard_within_min):
        return False
    return _from_home(car, lat, lon) <= float((car.return_rule or {}).get("radius_m", AROUND_HOME_M))


def _from_home(car: Car, lat: float, lon: float) -> float:
    """In metres."""
    north = (lat - car.home_lat) * METRES_PER_DEGREE
    east = (lon - car.home_lon) * METRES_PER_DEGREE * math.cos(math.radians(car.home_lat))
    return math.hypot(north, east)
