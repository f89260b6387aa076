"""Custody: who holds the car at an instant, taken after the car row is locked and never before the last."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, or_, select, text

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


def void(car: Car, rental: str) -> None:
    """The doors never opened: the custody of a rental is closed where it began, and the owner's goes on from there."""
    row = current(car.no)
    if row is None or row.rental_id != rental:
        return
    row.to_at = row.from_at
    session.flush()
    session.add(Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=row.from_at))
    session.flush()


def record(car: Car, *, person: str, rental: str, from_at: datetime, to_at: datetime | None) -> None:
    """A driver's custody that we hear of afterwards, in a span that was the owner's as far as we knew.

    The caller holds the car row's lock and has looked that no other driver's custody lies in the span.
    """
    for row in _owners(car, from_at, to_at):
        begins, ends, ended = max(row.from_at, from_at), row.to_at, row.to_at
        if to_at is not None and (ends is None or to_at < ends):
            ends = to_at
        row.to_at = begins
        session.flush()
        held = {"car_no": car.no, "holder": "driver", "person_id": person, "rental_id": rental}
        session.add(Custody(**held, from_at=begins, to_at=ends))
        session.flush()
        if ends is not None and ends != ended:
            session.add(
                Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=ends, to_at=ended)
            )
            session.flush()


def _owners(car: Car, from_at: datetime, to_at: datetime | None) -> list[Custody]:
    """What the owner held of a span; an unlock that failed in it has cut it into pieces."""
    statement = select(Custody).where(
        Custody.car_no == car.no,
        Custody.holder == "owner",
        or_(Custody.to_at.is_(None), (Custody.to_at > from_at) & (Custody.to_at > Custody.from_at)),
    )
    if to_at is not None:
        statement = statement.where(Custody.from_at < to_at)
    return list(session.scalars(statement.order_by(Custody.from_at)))


def begin_earlier(car: Car, *, person: str, rental: str, at: datetime) -> None:
    """The first custody of a rental began before we thought."""
    first = _of_rental(car, rental, Custody.from_at.asc())
    if first is not None and at < first.from_at:
        record(car, person=person, rental=rental, from_at=at, to_at=first.from_at)


def end_earlier(car: Car, rental: str, at: datetime) -> None:
    """The last custody of a rental ended before we thought: the owner's began then."""
    last = _of_rental(car, rental, Custody.from_at.desc())
    if last is None or last.to_at is None or not last.from_at <= at < last.to_at:
        return
    following = session.scalars(
        select(Custody).where(Custody.car_no == car.no, Custody.from_at == last.to_at, Custody.id != last.id)
    ).first()
    until, last.to_at = last.to_at, at
    if following is not None and following.holder == "owner":
        following.from_at = at
    else:
        session.add(Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=at, to_at=until))
    session.flush()


def _of_rental(car: Car, rental: str, order: Any) -> Custody | None:
    found: Custody | None = session.scalars(
        select(Custody).where(Custody.car_no == car.no, Custody.rental_id == rental).order_by(order).limit(1)
    ).first()
    return found


def driver_before(car_no: int, instant: datetime, *, but: str) -> Custody | None:
    """The last custody of another rental's driver that began by then."""
    return _of_a_driver(
        select(Custody).where(Custody.from_at <= instant).order_by(Custody.from_at.desc()), car_no, but
    )


def driver_after(car_no: int, instant: datetime, *, but: str) -> Custody | None:
    """The next custody of another rental's driver that began later."""
    return _of_a_driver(
        select(Custody).where(Custody.from_at > instant).order_by(Custody.from_at), car_no, but
    )


def _of_a_driver(statement: Select[Custody], car_no: int, but: str) -> Custody | None:
    """One that was voided is not among them."""
    found: Custody | None = session.scalars(
        statement.where(
            Custody.car_no == car_no,
            Custody.holder == "driver",
            Custody.rental_id != but,
            or_(Custody.to_at.is_(None), Custody.to_at > Custody.from_at),
        ).limit(1)
    ).first()
    return found


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
