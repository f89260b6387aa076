"""When a car that is out is due back: the remedy of who waits for it names the time."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.cars.models import Car
from app.kit import i18n
from app.rentals import access
from app.rentals.models import Rental


def remedy(car: Car, rental: Rental, at: datetime) -> str | None:
    """What to do while another has the car; None where nothing better is known than to wait for the news."""
    out = access.out_of_car(car.no)
    if out is None or out.id == rental.id or out.to_at <= at:
        return None
    due = out.to_at.astimezone(ZoneInfo(car.time_zone))
    return i18n.say("condition.unlock.car_back.due", at=i18n.wall_time(due))
