"""Which country a position lies in, and how sure that is near a border, at sea and where nobody knows."""

import pytest
from babel.core import get_global
from tzfpy import timezonenames

from app.cars import country

ON_LAND = [
    ("Paris", 48.8566, 2.3522, "FR"),
    ("Lyon", 45.76, 4.84, "FR"),
    ("Bern", 46.95, 7.45, "CH"),
    ("Brussels", 50.85, 4.35, "BE"),
    ("Luxembourg", 49.75, 6.1, "LU"),
    ("Berlin", 52.52, 13.4, "DE"),
    ("Milan", 45.46, 9.19, "IT"),
    ("Barcelona", 41.39, 2.17, "ES"),
    ("Porto", 41.15, -8.61, "PT"),
    ("Azores", 37.78, -25.5, "PT"),
    ("Canaries", 28.1, -15.45, "ES"),
    ("London", 51.5, -0.12, "GB"),
    ("Utrecht", 52.09, 5.12, "NL"),
    ("Vienna", 48.2, 16.37, "AT"),
]
NEAR = [
    ("Strasbourg, at the bridge", 48.57, 7.79, "FR"),
    ("Kehl, over the bridge", 48.57, 7.815, "DE"),
    ("Annemasse", 46.19, 6.23, "FR"),
    ("Geneva, Thônex", 46.19, 6.18, "CH"),
    ("Monaco", 43.738, 7.424, "MC"),
    ("Hendaye", 43.36, -1.77, "FR"),
    ("Irun", 43.34, -1.79, "ES"),
    ("Büsingen, a piece of Germany in Switzerland", 47.697, 8.69, "DE"),
]
NOWHERE = [("in the Channel", 50.2, -1.0), ("on the Atlantic", 40.0, -30.0), ("without a fix", 0.0, 0.0)]


@pytest.mark.parametrize(
    ("lat", "lon", "code"), [row[1:] for row in ON_LAND], ids=[row[0] for row in ON_LAND]
)
def test_inside_a_country_it_is_known_for_sure(lat: float, lon: float, code: str) -> None:
    assert country.at(lat, lon) == country.surely(lat, lon) == code


@pytest.mark.parametrize(("lat", "lon", "code"), [row[1:] for row in NEAR], ids=[row[0] for row in NEAR])
def test_near_a_border_it_is_known_but_not_for_sure(lat: float, lon: float, code: str) -> None:
    assert (country.at(lat, lon), country.surely(lat, lon)) == (code, None)


@pytest.mark.parametrize(("lat", "lon"), [row[1:] for row in NOWHERE], ids=[row[0] for row in NOWHERE])
def test_at_sea_nobody_knows(lat: float, lon: float) -> None:
    assert country.at(lat, lon) is None
    assert country.surely(lat, lon) is None


@pytest.mark.parametrize(("lat", "lon"), [(91.0, 2.0), (48.0, 181.0), (-1e9, 1e9), (float("nan"), 2.0)])
def test_what_is_no_position_lies_nowhere(lat: float, lon: float) -> None:
    assert country.at(lat, lon) is None


def test_the_sea_beside_a_coast_is_no_other_country() -> None:
    assert country.surely(43.29, 5.37) == "FR", "Marseille"


def test_every_outline_of_europe_is_of_a_country() -> None:
    known = get_global("zone_territories")
    assert [one for one in timezonenames() if one.startswith("Europe/") and one not in known] == []
