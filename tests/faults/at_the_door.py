"""What must hold at a car's door whatever failed: looked at from the box's own log and from the rows, once all is calm."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from app.billing.models import Payment
from app.billing.states import State as Paid
from app.cars.models import Car, Custody
from app.coverage.models import Cover
from app.kit.clock import ClockOffset
from app.kit.db import release, session
from app.rentals.lifecycle import State
from app.rentals.models import OPEN, Command, Rental
from app.supervisor import Supervisor
from tests.flows.friends import Friends

PASSING = (State.REQUESTED, State.UNLOCKING, State.LOCKING)
UNDER_WAY = (Paid.HOLDING, Paid.RENEWING, Paid.CAPTURING, Paid.RELEASING, Paid.REFUNDING)
BY_ITS_COMMAND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Looked:
    """How much was looked at: openings of the doors, commands at the box, spans of custody; and what still waits."""

    openings: int
    commands: int
    custody: int
    stuck: int


def look(place: Supervisor, circle: Friends) -> Looked:
    """Every opening covered, each command once, custody without a gap, nothing in a state that only passes."""
    truth = circle.street.state()["car"]
    log = circle.street.log()
    with _rows(place):
        car = session.get_one(Car, circle.car)
        held = _custody_has_no_gap(car)
        for one in log:
            _was_asked_and_done_once(car, one)
        ahead = session.execute(select(func.coalesce(func.sum(ClockOffset.milliseconds), 0))).scalar_one()
        for at in truth["openings"]:
            instant = datetime.fromtimestamp(at, UTC) + timedelta(milliseconds=int(ahead))
            _was_allowed(car, instant, _commanded(log, at), held)
        stuck = waiting(car)
    assert not stuck, stuck
    return Looked(len(truth["openings"]), len(log), len(held), len(stuck))


@contextmanager
def _rows(place: Supervisor) -> Iterator[None]:
    with place.application().app_context():
        try:
            yield
        finally:
            release()


def _custody_has_no_gap(car: Car) -> list[Custody]:
    """From the registration on somebody holds the car at each instant, and never two."""
    rows = list(
        session.scalars(select(Custody).where(Custody.car_no == car.no).order_by(Custody.from_at, Custody.id))
    )
    assert rows[0].from_at <= car.made_at, "nobody held it when it was registered"
    for before, after in itertools.pairwise(rows):
        assert before.to_at == after.from_at, f"{before.holder} to {before.to_at}, then from {after.from_at}"
    assert rows[-1].to_at is None
    return rows


def _was_asked_and_done_once(car: Car, logged: dict[str, Any]) -> None:
    assert logged["executed"] <= 1, logged
    command = session.get(Command, logged["id"])
    assert command is not None, f"nobody asked for {logged}"
    assert command.car_no == car.no, "another car's command"


def _commanded(log: list[dict[str, Any]], at: float) -> Command | None:
    """The unlock that opened the doors then; None where a hand did, or a companion."""
    done = [one for one in log if one["executed"] and one["line"].startswith("unlock")]
    found = min(done, key=lambda one: abs(one["done_at"] - at), default=None)
    by_it = found is not None and abs(found["done_at"] - at) < BY_ITS_COMMAND.total_seconds()
    return session.get(Command, found["id"]) if found is not None and by_it else None


def _was_allowed(car: Car, instant: datetime, command: Command | None, held: list[Custody]) -> None:
    """Inside custody and cover of the rental that asked; or the owner's own door, asked by whoever runs the car."""
    then = [one for one in held if one.from_at <= instant and (one.to_at is None or instant < one.to_at)]
    assert len(then) == 1, f"{len(then)} held the car at {instant}"
    (holder,) = then
    if holder.holder == "owner":
        assert command is not None, f"a door opened at {instant}, and nobody had asked"
        assert command.purpose == "owner", "a door opened for a driver in the owner's custody"
        return
    assert command is None or command.rental_id == holder.rental_id, "opened for one, in another's custody"
    covered = session.scalars(
        select(Cover).where(
            Cover.rental_id == holder.rental_id,
            Cover.state.in_(["bound", "active", "closed"]),
            Cover.from_at <= instant,
            or_(Cover.to_at.is_(None), Cover.to_at > instant),
        )
    ).all()
    assert covered, f"a door opened at {instant} without cover"


def waiting(car: Car) -> list[str]:
    """What of this car is in a state that only passes."""
    rentals = session.execute(
        select(Rental.id, Rental.state).where(
            Rental.car_id == car.id, Rental.state.in_([one.value for one in PASSING])
        )
    ).all()
    commands = session.execute(
        select(Command.id, Command.state).where(Command.car_no == car.no, Command.state.in_(OPEN))
    ).all()
    holds = session.execute(
        select(Payment.id, Payment.state)
        .join(Rental, Rental.id == Payment.rental_id)
        .where(Rental.car_id == car.id, Payment.state.in_([one.value for one in UNDER_WAY]))
    ).all()
    return [f"{number} {state}" for number, state in (*rentals, *commands, *holds)]


def calm(place: Supervisor, circle: Friends) -> bool:
    with _rows(place):
        return not waiting(session.get_one(Car, circle.car))
