"""What a box reports by itself while nobody knows the outcome: a door that opened, a car that locked, use of the car."""

from collections.abc import Iterable

from sqlalchemy import Text, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.cars import custody
from app.cars.models import Box, Car, Custody
from app.kit import deadlines
from app.kit.db import session, transactional
from app.kit.driver import read
from app.rentals import access, close, lock_answered, unlock_answered
from app.rentals import end as ending
from app.rentals.lifecycle import State
from app.rentals.models import OPEN, Command, Rental
from carbox.box import BoxState

WATCHED = (State.UNLOCKING, State.LOCKING, State.ENDED)


_OUT_WITH = (
    select(Rental.id, Rental.state, Rental.meter_stopped_at, Box.config)
    .join(Box, Box.car_id == Rental.car_id)
    .join(Custody, Custody.rental_id == Rental.id)
    .where(Box.username == bindparam("username"), Box.removed_at.is_(None), Custody.to_at.is_(None))
)
_UNDECIDED = or_(Rental.state.in_([one.value for one in WATCHED]), Rental.meter_stopped_at.is_not(None))
_CONCERNED = (
    select(Box.username)
    .join(Rental, Rental.car_id == Box.car_id)
    .join(Custody, Custody.rental_id == Rental.id)
    .where(
        Box.username == any_(bindparam("usernames", type_=ARRAY(Text))),
        Box.removed_at.is_(None),
        Custody.to_at.is_(None),
        _UNDECIDED,
    )
)


def concerned(usernames: Iterable[str]) -> list[str]:
    """Those of these boxes whose car is out with something undecided about it: only their readings mean anything here."""
    return [row.username for row in read(_CONCERNED, {"usernames": list(usernames)})]


def take(username: str, delta: BoxState) -> None:
    """Draw what may be drawn from readings that came by themselves; retained ones prove nothing."""
    fresh = BoxState({name: one for name, one in delta.items() if not one.retained})
    if not len(fresh):
        return
    for row in read(_OUT_WITH, {"username": username}):
        if State(row.state) in WATCHED or row.meter_stopped_at is not None:
            _draw(row.id, fresh, optimistic=bool(row.config.get("optimistic_lock")))


@transactional
def _draw(rental_id: str, fresh: BoxState, *, optimistic: bool) -> None:
    car, rental = access.locked(rental_id)
    if session.execute(select(Command.id).where(Command.car_no == car.no, Command.state.in_(OPEN))).first():
        return
    _judge(car, rental, fresh, optimistic=optimistic)


def _judge(car: Car, rental: Rental, fresh: BoxState, *, optimistic: bool) -> None:
    if rental.meter_stopped_at is not None and rental.ended_at is None and _used(rental, fresh):
        lock_answered.drives_on(car, rental)
    elif rental.stands is State.UNLOCKING and (fresh.flag("locked") is False or fresh.open_doors):
        unlock_answered.open_doors(car, rental, None)
    elif fresh.flag("locked") is not True or fresh.open_doors or optimistic:
        return
    elif rental.stands is State.LOCKING:
        _locked(car, rental)
    elif rental.stands is State.ENDED and not close.may_still_have_it(rental):
        deadlines.drop(rental.id, "hand_back")
        ending.hand_back(car, rental, custody.next_instant(car), "box record after a close by hand")


def _used(rental: Rental, fresh: BoxState) -> bool:
    """Ignition, or more than half a kilometre since the lock that stopped the meter."""
    odometer, before = fresh.number("odometer_km"), rental.odometer_end
    moved = odometer is not None and before is not None and odometer - before > ending.DRIVES_KM
    return fresh.flag("drivable") is True or moved


def _locked(car: Car, rental: Rental) -> None:
    """The car says that it is locked while the driver's lock was left without an answer, sent or not."""
    last = session.scalars(
        select(Command)
        .where(Command.rental_id == rental.id, Command.purpose == "lock")
        .order_by(Command.id.desc())
        .limit(1)
    ).first()
    if last is not None:
        lock_answered.lock_or_refuse(car, rental, last, is_open=False)
