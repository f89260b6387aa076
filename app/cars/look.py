"""Look at a car: its state, its place, who held it; each shown to whom it may be."""

from datetime import datetime
from typing import Any

from app.cars import access, box, custody, readings
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotAllowed, PlaceHidden, Validation
from app.people.models import Person


def state(person: str, car_id: str) -> dict[str, Any]:
    """Charge, range, locks and doors; to the owner, and to who drives it. Raises NotFound, NotAllowed."""
    car = access.may_see(car_id, person)
    out = custody.lent_to(car.no)
    if not access.runs(car, person) and (out is None or out.person_id != person):
        raise NotAllowed("Only the owner and the driver see the car's state.")
    return readings.shown(box.live(car.id))


def place(person: str, car_id: str) -> dict[str, Any]:
    """Where it stands; while it is lent to the driver alone, and to nobody else. Raises NotFound, PlaceHidden."""
    car = access.may_see(car_id, person)
    out = custody.lent_to(car.no)
    if out is not None and out.person_id != person:
        raise PlaceHidden("The car is lent: its place is the driver's alone.", visible_from=None)
    if out is None and not access.revealed(car, person):
        raise PlaceHidden("Shown from one hour before the start.", visible_from=None)
    row = box.live(car.id)
    lat, lon = readings.value(row, "latitude"), readings.value(row, "longitude")
    if lat is None or lon is None:
        return {"lat": car.home_lat, "lon": car.home_lon, "label": car.home_label, "exact": True}
    return {"lat": lat, "lon": lon, "label": "", "exact": True}


def holder(person: str, car_id: str, at: datetime) -> dict[str, Any]:
    """Who held it at an instant; to the owner. Raises NotFound, NotAllowed, Validation for the future."""
    car = access.may_run(car_id, person)
    if at > clock.now():
        detail = "That has not happened yet."
        raise Validation(errors=[{"parameter": "at", "code": "invalid", "detail": detail}])
    row = custody.at(car.no, at)
    if row is None:
        return {"holder": "unknown", "rental": None, "first_name": None, "from_at": None, "to_at": None}
    who = session.get(Person, row.person_id) if row.person_id else None
    return {
        "holder": row.holder,
        "rental": row.rental_id,
        "first_name": who.first_name if who else None,
        "from_at": row.from_at,
        "to_at": row.to_at,
    }
