"""A car that was stolen: nobody unlocks it, and its box is cut off the broker at once, connection too."""

from app.cars import access
from app.cars import box as boxes
from app.cars.models import Car
from app.facts import CarStolen
from app.kit import facts
from app.kit.db import transactional


@transactional
def report_stolen(person: str, car_id: str) -> Car:
    """By its owner; not while it is lent, when only an operator may. Raises NotFound, NotAllowed, InUse."""
    car = access.may_run(car_id, person, lock=True)
    boxes.refuse_in_use(car)
    mark_stolen(car, by=person)
    return car


def mark_stolen(car: Car, *, by: str) -> None:
    """Whatever is under way; who calls has looked, and holds the car's row. Once is enough."""
    is_news = not car.barred or boxes.live(car.id) is not None
    boxes.cut(car)
    car.unsafe = car.barred = True
    if is_news:
        facts.record(CarStolen(car=car.id, by=by))
