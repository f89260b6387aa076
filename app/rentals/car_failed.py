"""The car cannot be driven on while it is out: time is charged to that instant at most, the cover goes on to the lock."""

from sqlalchemy import select

from app.cars import box as boxes
from app.cars.models import Car
from app.facts import CarFailed
from app.kit import clock, facts
from app.kit.db import session
from app.rentals import access
from app.rentals import end as ending
from app.rentals.models import Rental


def stop(car: Car, *, by: str) -> None:
    """Inside the transaction in which somebody says that nobody is to drive the car; the caller holds the car.

    Nothing where nobody has it out, or it was said before.
    """
    out = access.out_of_car(car.no)
    if out is None:
        return
    rental = session.scalars(
        select(Rental).where(Rental.id == out.id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    if rental.failed_at is not None:
        return
    rental.failed_at, rental.failed_km = clock.now(), ending.odometer(boxes.live(car.id))
    facts.record(CarFailed(rental=rental.id, at=rental.failed_at, by=by))
