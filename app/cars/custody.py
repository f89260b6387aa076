"""Custody: who holds the car at an instant, taken after the car row is locked and never before the last."""

from datetime import datetime, timedelta

from sqlalchemy import select, text

from app.cars.models import Car, Custody
from app.kit import clock
from app.kit.db import session


def next_instant(car: Car) -> datetime:
    """`greatest(business time, last instant of this car + 1 ms)`; the caller holds the car row's lock."""
    last: datetime | None = session.execute(
        text(
            "select max(greatest(from_at, coalesce(to_at, from_at))) from custody where car_no = cast(:car as int)"
        ),
        {"car": car.no},
    ).scalar_one()
    now = clock.again()
    return now if last is None else max(now, last + timedelta(milliseconds=1))


def take(car: Car, *, holder: str, person: str | None, rental: str | None, at: datetime) -> None:
    """The car changes hands at `at`: whoever held it no longer does."""
    for row in session.scalars(
        select(Custody).where(Custody.car_no == car.no, Custody.to_at.is_(None)).with_for_update()
    ):
        row.to_at = at
    session.flush()
    session.add(Custody(car_no=car.no, holder=holder, person_id=person, rental_id=rental, from_at=at))
    session.flush()


def void(car: Car, rental: str, at: datetime) -> None:
    """The doors never opened: the custody of a rental is closed where it began, the owner goes on."""
    row = current(car.no)
    if row is None or row.rental_id != rental:
        return
    row.to_at = row.from_at
    session.flush()
    session.add(Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=max(at, row.from_at)))
    session.flush()


def current(car_no: int) -> Custody | None:
    found: Custody | None = session.scalars(
        select(Custody).where(Custody.car_no == car_no, Custody.to_at.is_(None))
    ).first()
    return found


def at(car_no: int, instant: datetime) -> Custody | None:
    """Who held the car at an instant; None before it was ours to know."""
    found: Custody | None = session.scalars(
        select(Custody)
        .where(Custody.car_no == car_no, Custody.from_at <= instant)
        .order_by(Custody.from_at.desc(), Custody.id.desc())
        .limit(1)
    ).first()
    return found if found is not None and (found.to_at is None or found.to_at > instant) else None


def lent_to(car_no: int) -> Custody | None:
    """The custody of a driver, if the car is out."""
    row = current(car_no)
    return row if row is not None and row.holder == "driver" else None
