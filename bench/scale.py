"""How much is seeded, and how long each row is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """What `make bench` measures; the numbers in results are of this scale alone."""

    cars: int = 200
    members: int = 100
    rentals: int = 50_000
    slots: int = 6000
    rounds: int = 6
    slice_s: float = 1.0
    seconds: float = 10.0
    calls: int = 30_000
    unlocks: int = 60
    boxes: int = 20_000
    settled: int = 500
    looks: int = 100
    """Requests whose time is taken apart."""
    covered_cars: int = 5000
    covers_each: int = 2000
    """The insurer's rows: so many cars, with so many covers each."""
    city_cars: int = 20_000
    city_people: int = 4_000_000
    city_memberships: int = 5_000_000
    pools: int = 31
    pool_cars: int = 323
    """The cities: so many pools, the first with exactly so many cars."""
    asked: int = 6000
    """Calls that can be sent once only, for a row."""


FULL = Scale()
SMALL = Scale(
    cars=8,
    members=4,
    rentals=40,
    slots=96,
    rounds=1,
    slice_s=0.1,
    seconds=0.4,
    calls=200,
    unlocks=2,
    boxes=20,
    settled=4,
    looks=4,
    covered_cars=20,
    covers_each=100,
    city_cars=200,
    city_people=1000,
    city_memberships=1200,
    pools=3,
    pool_cars=60,
    asked=40,
)
"""Whether every row can still be measured; its numbers mean nothing."""
