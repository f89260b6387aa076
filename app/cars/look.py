"""Look at a car: its state, its place, who held it; each shown to whom it may be."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.cars import access, box, custody, foresight, readings
from app.cars.models import Car
from app.facts import CustodyLookedUp
from app.kit import clock, facts, sealed
from app.kit.db import session, transactional
from app.kit.errors import NotAllowed, PlaceHidden, Validation
from app.kit.facts import FactRow
from app.people.models import Person

ONE_LOOK = timedelta(hours=1)


def state(person: str, car_id: str) -> dict[str, Any]:
    """Charge, range, locks and doors, the forecast for the next rental and what stands; to the owner, and to who drives it.

    In whose hands the 12 V battery fell is the owner's alone. Raises NotFound, NotAllowed.
    """
    car = access.may_see(car_id, person)
    out, mine = custody.lent_to(car.no), access.runs(car, person)
    if not mine and (out is None or out.person_id != person):
        raise NotAllowed("Only the owner and the driver see the car's state.")
    row = box.live(car.id)
    return {**readings.shown(row), **foresight.shown(car, row, to_owner=mine)}


def place(person: str, car_id: str) -> dict[str, Any]:
    """Where it stands; while it is lent to the driver alone, and to nobody else.

    Raises NotFound, PlaceHidden with the instant from which a booked rental shows it.
    """
    car = access.may_see(car_id, person)
    out = custody.lent_to(car.no)
    if out is not None and out.person_id != person:
        raise PlaceHidden(
            "The car is lent: its place is the driver's alone.", visible_from=_from(car, person)
        )
    if out is None and not access.revealed(car, person):
        raise PlaceHidden("Shown from one hour before the start.", visible_from=_from(car, person))
    row = box.live(car.id)
    lat, lon = readings.value(row, "latitude"), readings.value(row, "longitude")
    if lat is None or lon is None:
        return {"lat": car.home_lat, "lon": car.home_lon, "label": car.home_label, "exact": True}
    return {"lat": lat, "lon": lon, "label": "", "exact": True}


def _from(car: Car, person: str) -> str | None:
    """When the next rental this person has booked shows the place; None without one, or while it waits for the car."""
    found = [at for ask in access.REVEALED_FROM if (at := ask(car.id, person)) is not None]
    later = [at for at in found if at > clock.now()]
    return clock.z(min(later)) if later else None


def holder(person: str, car_id: str, at: datetime, as_of: datetime | None = None) -> dict[str, Any]:
    """Who held it at an instant, as known now or then; to the owner. Raises NotFound, NotAllowed, Validation for the future.

    A driver who held it is told that it was looked up.
    """
    car = access.may_run(car_id, person)
    if at > clock.now():
        detail = "That has not happened yet."
        raise Validation(errors=[{"parameter": "at", "code": "invalid", "detail": detail}])
    known = None if as_of is None else sealed.head(as_of)
    row = custody.at(car.no, at, known)
    asked = {"as_of": None if known is None else known.as_of}
    if row is None:
        nobody = {"rental": None, "first_name": None, "from_at": None, "to_at": None}
        return {"holder": "unknown", **nobody, **asked}
    who = session.get(Person, row.person_id) if row.person_id else None
    found = {
        "holder": row.holder,
        "rental": row.rental_id,
        "first_name": who.first_name if who else None,
        "from_at": row.from_at,
        "to_at": row.to_at,
        **asked,
    }
    if row.rental_id is not None and row.person_id != person:
        _tell_driver(row.rental_id, person, at)
    return found


@transactional
def _tell_driver(rental: str, by: str, instant: datetime) -> None:
    """Once in an hour: an app that shows the answer and reads it again is one look."""
    looked = select(FactRow.seq).where(
        FactRow.kind == CustodyLookedUp.kind,
        FactRow.data["rental"].astext == rental,
        FactRow.data["by"].astext == by,
        FactRow.at > clock.now() - ONE_LOOK,
    )
    if session.execute(looked.limit(1)).first() is None:
        facts.record(CustodyLookedUp(rental=rental, by=by, instant=instant))
