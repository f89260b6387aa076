"""HTTP of further drivers: who drives, named, taken off."""

from typing import Any

from app.kit.auth import caller
from app.kit.errors import AlreadyExists, NotFound, NotInsurable, OwnCar
from app.rentals import name_driver, represent, schemas
from app.rentals.routes import ONE, STEP, routes

DRIVERS = ONE + "/drivers"
DRIVER = DRIVERS + '/<pid("per"):person>'


@routes.add("GET", DRIVERS, summary="Who drives", returns=schemas.RentalDrivers)
def list_drivers(rental: str) -> dict[str, Any]:
    """Who booked and who is named besides; for these and the owner."""
    return represent.drivers(name_driver.may_see(rental, caller().person))


@routes.add(
    "PUT",
    DRIVER,
    summary="Name another driver",
    returns=schemas.RentalDrivers,
    problems=(*STEP, NotFound, AlreadyExists, OwnCar, NotInsurable),
)
def name_driver_of_rental(rental: str, person: str) -> dict[str, Any]:
    """Another member may drive too, before the start or while the car is out, and is insured from then on. They are judged
    by the insurer's rules as who booked is: not-insurable says what is missing. Who booked opens the car and answers for it.
    """
    name_driver.name(caller().person, rental, person)
    return represent.drivers(name_driver.may_see(rental, caller().person))


@routes.add(
    "DELETE",
    DRIVER,
    summary="Take a named driver off",
    status=204,
    problems=(*STEP, NotFound),
)
def take_driver_off(rental: str, person: str) -> None:
    """Not insured from now on. For who booked, and for the named driver themself."""
    name_driver.take_off(caller().person, rental, person)
