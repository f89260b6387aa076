"""The energy of a rental in watt-hours, by what the car's box says; None where that is not to be known."""

from app.cars import box as boxes
from app.cars import charge_plan, readings
from app.cars.models import Box, Car
from app.rentals.models import Rental
from payments.energy import foreseen_wh, taken_wh


def foreseen(car: Car, km: int | None) -> int | None:
    """What a stated distance takes; of an electric car alone, since a plug-in drives on with fuel."""
    if km is None or car.powertrain != "electric":
        return None
    box = boxes.live(car.id)
    per_km = charge_plan.percent_per_km(box) if box is not None else None
    return foreseen_wh(km, per_km, readings.value(box, "capacity_kwh"))


def taken(rental: Rental, box: Box | None, *, seen: bool) -> int | None:
    """What the charge fell by between unlock and lock.

    `seen`: the box showed the lock as it happened. Where it is known by a word or a later record, the last reading may
    be of another hour, and nothing is asked.
    """
    if not seen:
        return None
    return taken_wh(rental.charge_start, rental.charge_end, readings.value(box, "capacity_kwh"))
