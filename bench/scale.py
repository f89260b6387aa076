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
)
"""Whether every row can still be measured; its numbers mean nothing."""
