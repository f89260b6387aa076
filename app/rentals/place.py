"""Where a rental may end: the car's place or zone, judged on a fresh reading alone."""

import math
from datetime import datetime, timedelta

from app.cars import readings
from app.cars.models import Box, Car

FRESH = timedelta(seconds=60)
METRES_PER_DEGREE = 111_195


def outside(car: Car, box: Box | None, at: datetime) -> bool:
    """True only when a reading under 60 s old shows the car outside its return rule."""
    if car.return_rule is None:
        return False
    lat = readings.recent(box, "latitude", FRESH, at)
    lon = readings.recent(box, "longitude", FRESH, at)
    if lat is None or lon is None:
        return False
    north = (lat - car.home_lat) * METRES_PER_DEGREE
    east = (lon - car.home_lon) * METRES_PER_DEGREE * math.cos(math.radians(car.home_lat))
    return math.hypot(north, east) > float(car.return_rule["radius_m"])
