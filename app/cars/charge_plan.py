"""How charged a car will be when somebody takes it: what its box said, its habits, and what is booked until then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from app.cars import charge_forecast, hourly, occupancy
from app.cars.charge_forecast import Forecast, Now, Use
from app.cars.kept import instant, value
from app.cars.models import Box, Car
from app.kit import clock
from app.kit.db import session

LEARNS_FROM = timedelta(days=28)
LEAST_FOR_RANGE = 10
"""Under ten percent a car's range is a guess that nothing may be learned from."""
STATED_KM: list[Callable[[list[str]], dict[str, int]]] = []
"""Who knows the distances drivers have stated: rentals -> km; the factory fills it."""
_NEXT = text(
    "select ref, from_at from occupancy where car_no = cast(:car as int) and kind = 'rental' and from_at > :now"
    " order by from_at limit 1"
)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The charge at an instant, and how far it takes the car; `range_km` None: the car has told no range."""

    charge: Forecast
    range_km: int | None
    percent_per_km: float | None

    def needed(self, min_start: int | None, km: float | None) -> float | None:
        """The charge to start with: by the owner's rule and for the stated distance; None: anything will do."""
        for_km = km * self.percent_per_km if km is not None and self.percent_per_km is not None else None
        wanted = [one for one in (min_start, for_km) if one is not None]
        return min(100.0, max(wanted)) if wanted else None


def foreseen(car: Car, box: Box | None, at: datetime) -> Foreseen | None:
    """None for a car without a plug, or one whose charge nobody knows."""
    now = _now(box) if box is not None else None
    if now is None or car.powertrain not in ("electric", "plug_in"):
        return None
    rows = hourly.of(car.no, clock.now() - LEARNS_FROM)
    habits = charge_forecast.learn(hourly.samples(rows))
    uses = _uses(car, now.at, at) if at > now.at else []
    plug_below = (car.charge_rule or {}).get("plug_below")
    charge = charge_forecast.forecast(now, habits, uses, max(at, now.at), plug_below)
    per_km = now.percent_per_km
    return Foreseen(charge, int(charge.percent / per_km) if per_km else None, per_km)


def next_use(car: Car) -> tuple[str, datetime] | None:
    """The next rental of the car and its start."""
    row = session.execute(_NEXT, {"car": car.no, "now": clock.now()}).first()
    return (row.ref, row.from_at) if row else None


def km_of(car: Car, rental: str) -> int | None:
    """The stated distance, where the battery alone must do for it: a plug-in drives on with fuel."""
    return stated_km([rental]).get(rental) if car.powertrain == "electric" else None


def stated_km(rentals: list[str]) -> dict[str, int]:
    return {rental: km for ask in STATED_KM for rental, km in ask(rentals).items()}


def _now(box: Box) -> Now | None:
    percent, at = value(box.state, "charge_percent"), instant(box.state, "charge_percent")
    if percent is None or at is None:
        return None
    return Now(
        at=at,
        charge_percent=float(percent),
        charging=value(box.state, "charging"),
        charge_kw=value(box.state, "charge_kw"),
        capacity_kwh=value(box.state, "capacity_kwh"),
        limit_percent=float(value(box.state, "charge_limit_percent") or 100),
        percent_per_km=percent_per_km(box),
    )


def percent_per_km(box: Box) -> float | None:
    """What the car takes of its charge for a kilometre, by its own range; None where it has told none to go by."""
    percent, range_km = value(box.state, "charge_percent"), value(box.state, "range_km")
    if not range_km or percent is None or percent < LEAST_FOR_RANGE:
        return None
    return float(percent / range_km)


def _uses(car: Car, from_at: datetime, to_at: datetime) -> list[Use]:
    rows = [one for one in occupancy.spans(car, from_at, to_at) if one[0] == "rental"]
    km = stated_km([ref for _, ref, _, _ in rows])
    return [Use(begins, ends, km.get(ref)) for _, ref, begins, ends in rows if begins < to_at]
