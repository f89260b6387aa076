"""When a car that is out is due back: by the driver's word, else by the plan; the remedy of who waits for it names it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.cars.models import Car
from app.kit import i18n
from app.rentals import access
from app.rentals.models import Rental

GROW_AHEAD = timedelta(minutes=15)


def forecast(out: Rental, now: datetime) -> datetime | None:
    """When its driver says to be back; None where they said nothing, or that time has passed too."""
    return out.back_at if out.back_at is not None and out.back_at > now else None


def expected(out: Rental, now: datetime) -> datetime | None:
    """The driver's word, else the planned end; None once both have passed."""
    return forecast(out, now) or (out.to_at if out.to_at > now else None)


def held_until(out: Rental, now: datetime) -> datetime:
    """Until when it holds its car: the planned end, later where its driver says so, or where that has passed."""
    ends = [out.to_at, forecast(out, now) or out.to_at]
    return max([*ends, now + GROW_AHEAD] if now >= out.to_at else ends)


def remedy(car: Car, rental: Rental, at: datetime) -> str | None:
    """What to do while another has the car; None where nothing better is known than to wait for the news."""
    out = access.out_of_car(car.no)
    if out is None or out.id == rental.id:
        return None
    due = expected(out, at)
    if due is None:
        return None
    key = "condition.unlock.car_back.forecast" if forecast(out, at) else "condition.unlock.car_back.due"
    return i18n.say(key, at=i18n.wall_time(due.astimezone(ZoneInfo(car.time_zone))))
