"""What operators do to a car's box, also while the car is lent: the owner's use cases without their refusal."""

from app.cars import box as boxes
from app.cars import stolen
from app.cars.models import Car
from app.kit import rights
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.operator.act import audit
from app.rentals import commands


@transactional
def remove_box(car: str, *, by: str, reason: str) -> None:
    """Take the box out. A rental under way is then closed by hand. Raises NotFound."""
    found = _find(car)
    boxes.require_any(car)
    boxes.cut(found)
    audit(by, "box remove", car, reason)


@transactional
def mark_stolen(car: str, *, by: str, reason: str) -> None:
    """Bar the car and cut its box. A rental under way is then closed by hand. Raises NotFound."""
    stolen.mark_stolen(_find(car), by=by)
    audit(by, "car stolen", car, reason)


def _find(car: str) -> Car:
    """The car, locked; an unlock under way has reached its box when this returns, or never will."""
    found = session.get(Car, car, with_for_update=True)
    if found is None:
        raise NotFound
    command = commands.open_of(found.no)
    if command is not None:
        rights.revoke(command.asked_by)
    return found
