"""Commands to a car's box: one open per car, seconds to live; the owner's own door too."""

from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Row, Text, and_, bindparam, func, insert, select

from app.cars import access as cars
from app.cars import box as boxes
from app.cars import custody
from app.cars.models import Box, Car
from app.kit import clock, i18n
from app.kit.auth import Caller
from app.kit.clock import business_now
from app.kit.db import new_id, session, transactional
from app.kit.driver import read
from app.kit.errors import BoxRefused, BoxSilent, CarLent, CommandOpen, NotAllowed, NotFound, NotReady
from app.kit.http import Answer
from app.people.models import Phone
from app.rentals import access
from app.rentals.lifecycle import State
from app.rentals.models import OPEN, Command, OfflineReceipt, Rental

EXPIRES_AFTER = timedelta(seconds=10)
SAME_TAP_WITHIN = timedelta(seconds=5)
_ONE = select(*Command.__table__.c).where(Command.id == bindparam("command"))
_DOOR = (
    select(Box.id, Command)
    .join(Car, Car.id == Box.car_id)
    .outerjoin(Command, and_(Command.car_no == Car.no, Command.state.in_(OPEN)))
    .where(Box.car_id == bindparam("car"), boxes.IN_SERVICE)
)
DRIVERS = ("charge_start", "charge_stop", "charge_limit", "climate", "ping")


def open_of(car_no: int) -> Command | None:
    """The open command of a car."""
    found: Command | None = session.scalars(
        select(Command).where(Command.car_no == car_no, Command.state.in_(OPEN))
    ).first()
    return found


def last_of(rental: str, *kinds: str) -> Command | None:
    """The newest command of a rental of these kinds."""
    found: Command | None = session.scalars(
        select(Command)
        .where(Command.rental_id == rental, Command.kind.in_(kinds))
        .order_by(Command.id.desc())
        .limit(1)
    ).first()
    return found


def just_opened(rental: Rental) -> Command | None:
    """The unlock that the box surely did a moment ago, if no command to the doors came after it."""
    last = last_of(rental.id, "unlock", "lock")
    if last is None or last.settled_at is None:
        return None
    if (last.kind, last.state, last.evidence) != ("unlock", "confirmed", "strong"):
        return None
    return last if timedelta(0) <= clock.now() - last.settled_at < SAME_TAP_WITHIN else None


def last_opened_at(rental: Rental) -> datetime | None:
    """When the car was last opened in a rental, as far as it is known, with signal or without."""
    opened = select(func.max(func.coalesce(Command.answered_at, Command.settled_at))).where(
        Command.rental_id == rental.id, Command.kind == "unlock", Command.state == "confirmed"
    )
    offline = select(func.max(OfflineReceipt.at)).where(
        OfflineReceipt.rental_id == rental.id, OfflineReceipt.operation == "unlock"
    )
    found = [rental.started_at, session.scalar(opened), session.scalar(offline)]
    return max((one for one in found if one is not None), default=None)


_CREATE = (
    insert(Command.__table__)  # type: ignore[arg-type]
    .values(made_at=business_now, expires_at=business_now + EXPIRES_AFTER)
    .returning(
        Command.made_at, Command.expires_at, func.pg_notify("commands", bindparam("notice", type_=Text()))
    )
)


def create(
    car: Car, box: str, kind: str, purpose: str, by: Caller, rental: Rental | None, value: int | None = None
) -> Command:
    """A new command row, and in the same statement the notice that wakes boxlink; the caller holds the car row.

    What is returned tells of the row; a change to it would not be written.
    """
    row = {
        "id": new_id("cmd"),
        "car_id": car.id,
        "car_no": car.no,
        "box_id": box,
        "rental_id": rental.id if rental else None,
        "kind": kind,
        "purpose": purpose,
        "value": value,
        "asked_by": by.person,
        "asked_on": by.phone,
        "asked_session": by.session,
        "state": "created",
        "conditions": [],
    }
    made = session.execute(_CREATE, {**row, "notice": row["id"]}).one()
    return Command(**row, made_at=made.made_at, expires_at=made.expires_at)


def door_of(car: Car) -> tuple[str, Command | None]:
    """The box in service and the car's open command, in one look; the caller holds the car row. Raises NotFound."""
    row = session.execute(_DOOR, {"car": car.id}).first()
    if row is None:
        raise NotFound("This car has no box.")
    return row.id, row.Command


@transactional
def ask(by: Caller, car_id: str, kind: str, value: int | None) -> Command:
    """A command outside the steps of a rental: the owner's own door, or charge, climate and ping while active.

    Raises NotFound, NotAllowed, CarLent, CommandOpen, NotReady where the phone is not confirmed.
    """
    car = cars.of(car_id, lock=True)
    out = access.out_of_car(car.no)
    mine = cars.runs(car, by.person)
    driving = out is not None and out.driver_id == by.person and out.stands is State.ACTIVE
    if not mine and not driving:
        if cars.my_membership(car, by.person) is None:
            raise NotFound
        raise NotAllowed("Only the owner, and the driver during the rental, command the car.")
    if driving and not mine and kind not in DRIVERS:
        raise NotAllowed("During a rental use its own steps: unlock, pause, lock.")
    if mine and not driving:
        _refuse_lent(car, out)
    if kind == "unlock":
        _refuse_unconfirmed(by)
    box, open_command = door_of(car)
    if open_command is not None:
        raise CommandOpen("Another command is open; wait for its answer.")
    return create(car, box, kind, "driver" if driving else "owner", by, out if driving else None, value)


def _refuse_unconfirmed(by: Caller) -> None:
    """Doors open from a registered, confirmed phone alone: a stolen password on a new installation opens none."""
    phone = session.get(Phone, by.phone) if by.phone else None
    if phone is None or phone.confirmed_at is None or phone.revoked_at is not None:
        remedy = i18n.say("condition.unlock.phone")
        unmet = {"code": "phone", "met": False, "blocking": True, "observed_at": None, "remedy": remedy}
        raise NotReady(remedy, conditions=[unmet])


def _refuse_lent(car: Car, out: Rental | None) -> None:
    """The owner's door: nobody else in custody, no rental about to start."""
    held = custody.lent_to(car.no)
    if out is not None or held is not None:
        raise CarLent("The car is lent: every owner's command is refused until the lock.")
    now = clock.now()
    rows = session.scalars(
        select(Rental).where(
            Rental.car_id == car.id,
            Rental.state == State.BOOKED.value,
            Rental.from_at > now - timedelta(hours=1),
        )
    )
    for rental in rows:
        if rental.from_at - timedelta(minutes=rental.terms["buffer_min"]) <= now:
            raise CarLent("A rental starts within the buffer.")


def find_of_car(car_id: str, command: str, person: str) -> Command:
    """A command to one's own car, or one's own command. Raises NotFound."""
    row = session.get(Command, command)
    car = cars.may_see(car_id, person)
    if row is None or row.car_id != car.id or (row.asked_by != person and not cars.runs(car, person)):
        raise NotFound
    return row


def find_of_rental(rental_id: str, command: str, person: str) -> Command:
    access.may_see(rental_id, person)
    row = session.get(Command, command)
    if row is None or row.rental_id != rental_id:
        raise NotFound
    return row


def open_needs_box(car_id: str) -> list[str]:
    """What still needs the box of a car."""
    car = session.get(Car, car_id)
    if car is None:
        return []
    command, out = open_of(car.no), access.out_of_car(car.no)
    return ([f"command {command.id}"] if command else []) + ([f"rental {out.id}"] if out else [])


def wait_settled(command: str, seconds: float) -> Row[Any]:
    """Wait for boxlink with no connection in hand; the command as it stands once settled, or when the time is up."""
    waiting = current_app.extensions["glovebox"].commands
    seen: list[Row[Any]] = []

    def settled() -> bool:
        seen[:] = read(_ONE, {"command": command})
        return seen[0].state not in OPEN

    if seconds <= 0 or not waiting.until(command, settled, seconds):
        settled()
    return seen[0]


def outcome_of(row: Row[Any], location: str) -> Answer:
    """The settled command as 200, an open one as 202 with its place. Raises BoxRefused, BoxSilent."""
    if row.state in OPEN:
        return Answer(represent(row), 202, {"Location": location})
    if row.state == "refused":
        raise BoxRefused(_words(row), command=row.id, reason=row.reason, conditions=row.conditions)
    if row.state in ("unknown", "dead"):
        raise BoxSilent("It may have acted all the same. Look at the car, then try again.", command=row.id)
    return Answer(represent(row), 200)


def _words(row: Row[Any]) -> str:
    return {
        "unreachable": "The box does not answer; nothing was sent. Move the car's antenna into the open, or call us.",
        "not_done": "The car did not do it.",
        "conditions": "The car is not ready to be locked.",
        "no_longer": "The right to it ended before it was sent; nothing was sent.",
    }.get(row.reason or "", "The box said no.")


def represent(row: Command | Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "evidence": row.evidence,
        "expires_at": row.expires_at,
        "settled_at": row.settled_at,
        "conditions": row.conditions,
        "problem": row.problem,
        "rental": row.rental_id,
        "ask": _ask(row),
    }


def _ask(row: Command | Row[Any]) -> str | None:
    """What the reader is asked to do about a door that moved by the box's word, where the car does not show it."""
    if row.state != "confirmed" or row.kind not in ("unlock", "lock") or row.evidence == "strong":
        return None
    return i18n.say(f"ask.handle.{row.kind}")
