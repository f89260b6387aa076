"""Which country a position lies in, by outlines that come with a library: nothing outside is asked, nothing is kept.

They are the outlines of time zones (OpenStreetMap's), each of one country, with its territorial waters. Beyond, and where
two overlap, nobody knows.
"""

import math

from babel.core import get_global
from tzfpy import get_tzs

METRES_PER_DEGREE = 111_195
TOLERANCE_M = 5_000
"""Nearer than this to another country nothing is sure: outlines are simplified, and a bridge is no journey abroad."""
_POINTS = 16
_COUNTRIES = get_global("zone_territories")
_HIGH_SEA = "ZZ"


def at(lat: float, lon: float) -> str | None:
    """ISO 3166-1, None at sea and where nobody knows."""
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    found = {_COUNTRIES.get(zone, _HIGH_SEA) for zone in get_tzs(lon, lat)}
    country = found.pop() if len(found) == 1 else _HIGH_SEA
    return None if country == _HIGH_SEA else country


def surely(lat: float, lon: float) -> str | None:
    """As `at`, unless another country is within the tolerance; the sea around is none."""
    country = at(lat, lon)
    around = {at(*point) for point in _circle(lat, lon)}
    return country if around <= {country, None} else None


def _circle(lat: float, lon: float) -> list[tuple[float, float]]:
    radius = TOLERANCE_M / METRES_PER_DEGREE
    width = radius / max(0.01, math.cos(math.radians(lat)))
    turns = (2 * math.pi * place / _POINTS for place in range(_POINTS))
    return [(lat + radius * math.cos(turn), lon + width * math.sin(turn)) for turn in turns]
