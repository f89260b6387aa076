"""A car that was stolen: nobody unlocks it, and its box is cut off the broker at once, connection too."""

from flask import current_app
from sqlalchemy import select

from app.cars import access
from app.cars import box as boxes
from app.cars.models import Box, Car
from app.facts import CarStolen
from app.kit import facts
from app.kit.db import release, session, transactional
from app.kit.errors import Unavailable

CUT_WITHIN_S = 20


@transactional
def report_stolen(person: str, car_id: str) -> Car:
    """By its owner; not while it is lent, when only an operator may. Raises NotFound, NotAllowed, InUse."""
    car = access.may_run(car_id, person, lock=True)
    boxes.refuse_in_use(car)
    mark_stolen(car, by=person)
    return car


def mark_stolen(car: Car, *, by: str) -> None:
    """Whatever is under way; who calls has looked, and holds the car's row. Once is enough."""
    boxes.cut(car)
    if not car.unsafe:
        car.unsafe = True
        facts.record(CarStolen(car=car.id, by=by))


def wait_cut(car_id: str) -> None:
    """Until the broker has let go of every box the car ever had, at most 20 s. Raises Unavailable: ask again."""
    waiting = current_app.extensions["glovebox"].commands
    if not waiting.until(car_id, lambda: not _known_to_broker(car_id), CUT_WITHIN_S):
        raise Unavailable(
            "The box is taken out, but the broker has not said yet that it is cut off. Ask again."
        )


def _known_to_broker(car_id: str) -> bool:
    found = session.execute(
        select(Box.id).where(Box.car_id == car_id, Box.removed_at.is_not(None), Box.cut_at.is_(None)).limit(1)
    ).first()
    release()
    return found is not None
