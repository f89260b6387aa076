"""What is to be insured, as rentals hand it down, and as an insurer may know it."""

from dataclasses import dataclass
from datetime import datetime

from app.cars.models import Car
from app.kit.keys import mac


@dataclass(frozen=True, slots=True)
class Trip:
    """What is to be insured: the planned span of one rental."""

    rental: str
    car: Car
    driver: str
    community: str
    from_at: datetime
    to_at: datetime


def driver_ref(insurer: str, person: str) -> str:
    """The driver's pseudonym towards one insurer: two insurers cannot compare theirs."""
    return "drv_" + mac("driver-ref", f"{insurer}:{person}").hex()[:32]


def as_insured(car: Car) -> dict[str, str]:
    """The car as its insurer knows it: no place, no battery."""
    return {name: getattr(car, name) for name in ("plate", "country", "vin", "make", "model")}
