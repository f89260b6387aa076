"""Hourly readings: charge, plug and the resting 12 V battery once an hour at most, kept 60 days for trend and forecast."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.cars.charge_forecast import Sample
from app.cars.models import HourlyReading
from app.cars.twelve_volt import Rest
from app.cars.watch import Seen
from app.kit import clock
from app.kit.db import session

KEPT = timedelta(days=60)


_ROW = insert(HourlyReading)
_NOTE = _ROW.on_conflict_do_update(
    index_elements=["car_no", "hour"],
    set_={
        "used": HourlyReading.used | _ROW.excluded.used,
        "battery_12v": func.coalesce(HourlyReading.battery_12v, _ROW.excluded.battery_12v),
    },
)
"""Built once: every box comes here once an hour."""


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def note(car_no: int, at: datetime, seen: Seen, *, used: bool) -> None:
    """The first reading of an hour; a later one only adds that the car was used, or a voltage that was missing."""
    row = {
        "car_no": car_no,
        "hour": hour_of(at),
        "charge_percent": seen.charge_percent,
        "battery_12v": seen.battery_12v if seen.rests else None,
        "plugged": seen.plugged,
        "charging": seen.charging,
        "battery_celsius": seen.battery_celsius,
        "used": used,
    }
    session.execute(_NOTE, row)


def of(car_no: int, since: datetime) -> list[HourlyReading]:
    """Oldest first."""
    rows = select(HourlyReading).where(HourlyReading.car_no == car_no, HourlyReading.hour >= hour_of(since))
    return list(session.scalars(rows.order_by(HourlyReading.hour)))


def samples(rows: Sequence[HourlyReading]) -> list[Sample]:
    return [Sample(one.hour, one.charge_percent, one.plugged, one.charging, one.used) for one in rows]


def rests(rows: Sequence[HourlyReading]) -> list[Rest]:
    return [Rest(one.hour, one.battery_12v) for one in rows if one.battery_12v is not None]


def forget() -> None:
    """What is older than 60 days."""
    session.execute(delete(HourlyReading).where(HourlyReading.hour < clock.now() - KEPT))
