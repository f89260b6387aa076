"""The place of a car as members see it: its home moved by the car's own fixed offset; and how far that is from a point."""

import math
from typing import Any

EARTH_KM, DEGREE_KM = 6371.0, 111.2
BLUR_KM = 0.5
ANYWHERE_KM = 20_100.0
"""No two places are farther apart."""
_DEGREES = BLUR_KM / DEGREE_KM


def blurred(car: Any) -> tuple[float, float]:
    """The home place moved by this car's own fixed offset, at most 500 m in all."""
    length = max(1.0, math.hypot(car.blur_lat, car.blur_lon))
    lat = car.home_lat + car.blur_lat / length * _DEGREES
    lon = car.home_lon + car.blur_lon / length * _DEGREES / max(0.01, math.cos(math.radians(car.home_lat)))
    return round(lat, 4), round(lon, 4)


KM = f"""(
  select {2 * EARTH_KM} * asin(least(1, sqrt(sin(radians(lat - :lat) / 2) ^ 2
    + cos(radians(:lat)) * cos(radians(lat)) * sin(radians(lon - :lon) / 2) ^ 2)))
  from (select home_lat + blur_lat / length * {_DEGREES} as lat,
    home_lon + blur_lon / length * {_DEGREES} / greatest(0.01, cos(radians(home_lat))) as lon
    from (select greatest(1, sqrt(blur_lat ^ 2 + blur_lon ^ 2)) as length) as offset_of) as shown
  where cast(:lat as float) is not null
)"""  # noqa: S608 constants of ours
"""The same in a statement that looks at cars: great circle from `:lat`, `:lon` to there, in km; null without a point."""


def box(near: tuple[float, float] | None, radius_km: float) -> dict[str, Any]:
    """The parameters of KM, and the degrees that surely hold the circle: places shown lie up to 500 m beside the real."""
    if near is None:
        return dict.fromkeys(("lat", "lon", "radius_km", "south", "north", "west", "east"))
    lat, lon = near
    high = (radius_km + 2 * BLUR_KM) / 111.0
    wide = high / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + high))))
    around = {"south": lat - high, "north": lat + high, "west": lon - wide, "east": lon + wide}
    return {"lat": lat, "lon": lon, "radius_km": radius_km, **around}
