"""What a box's answer does: the command settles and the rental moves, in one transaction.

An answer is a claim, a reading asked for after it is evidence. Unlock: what surely opened is active; what surely did not
is booked again, its cover void; anything else stays as it is, covered. Lock: what the car shows ends the rental; a lock
left without an answer stops the meter and keeps the cover.
"""

from collections.abc import Callable

from sqlalchemy import and_, bindparam, select

from app.cars import readings
from app.cars.models import Box, Car
from app.facts import (
    OwnerCommandSettled,
    RentalPaused,
    RentalResumed,
)
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import session, transactional
from app.rentals import commands
from app.rentals.lifecycle import State
from app.rentals.lock_answered import answered_lock, lock_or_refuse
from app.rentals.models import Command, Rental
from app.rentals.settle import settle_plainly, surely_done, surely_not, tell_unknown
from app.rentals.unlock_answered import answered_unlock, begin, not_opened, open_doors
from carbox.box import Answer, AnswerKind, Evidence


@transactional
def apply(command_id: str, answer: Answer | None, reason: str | None = None) -> None:
    """Settle a command by the box's answer; `answer` None: nothing was sent, for `reason`."""
    car, rental, command, box = _locked(command_id)
    if not command.is_open:
        if answer is not None:
            apply_late(command_id, answer)
        return
    if answer is not None:
        _note(command, box, answer)
    _HANDLERS[command.purpose](car, rental, command, answer, reason)


@transactional
def apply_late(command_id: str, answer: Answer) -> None:
    """An answer after the command was given up: recorded, and what it proves takes effect."""
    car, rental, command, box = _locked(command_id)
    if command.state not in ("unknown", "dead"):
        return
    _note(command, box, answer)
    command.state, command.settled_at = "reconciled", clock.now()
    if rental is None:
        return
    if command.purpose == "unlock" and rental.stands is State.UNLOCKING:
        if surely_done(answer):
            open_doors(car, rental, command.id)
        elif surely_not(answer) and commands.open_of(car.no) is None:
            not_opened(car, rental, command, "not_done")
    elif command.purpose == "lock" and _is_back(rental, command, box, answer):
        lock_or_refuse(car, rental, command, is_open=False)
    elif command.purpose in ("pause", "resume") and surely_done(answer):
        _late_pause(car, rental, command)


def _is_back(rental: Rental, command: Command, box: Box, answer: Answer) -> bool:
    """The box's own record of a lock that was lost. Whoever got back in since then has the car."""
    asked = rental.stands is State.LOCKING or (
        rental.stands is State.ACTIVE and rental.keys_stated is not None and not _reopened_since(command)
    )
    return asked and answer.kind is AnswerKind.CONFIRMED and _shows_locked(box, command)


def _reopened_since(command: Command) -> bool:
    """Whether a later unlock was done, or may have been."""
    later = select(Command.id).where(
        Command.rental_id == command.rental_id,
        Command.kind == "unlock",
        Command.id > command.id,
        Command.state != "refused",
    )
    return session.execute(later.limit(1)).first() is not None


def _late_pause(car: Car, rental: Rental, command: Command) -> None:
    """Paused or resumed after all, unless a later command says otherwise."""
    later = select(Command.id).where(Command.rental_id == command.rental_id, Command.id > command.id)
    if rental.stands is not State.ACTIVE or session.execute(later.limit(1)).first() is not None:
        return
    if command.purpose == "resume":
        _resumed(car, rental, command)
    else:
        _paused(rental, command)


_OF_RENTAL = (
    select(Car, Rental, Command, Box)
    .join(Rental, Rental.car_id == Car.id)
    .join(Command, Command.rental_id == Rental.id)
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"))
    .with_for_update(of=[Car, Rental, Command, Box])
    .execution_options(populate_existing=True)
)
_OF_CAR = (
    select(Car, Command, Box)
    .join(Command, and_(Command.car_id == Car.id, Command.rental_id.is_(None)))
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"))
    .with_for_update(of=[Car, Command, Box])
    .execution_options(populate_existing=True)
)


def _locked(command_id: str) -> tuple[Car, Rental | None, Command, Box]:
    """All that an answer may change in one look, locked in this order; the owner's own command needs a second look."""
    found = session.execute(_OF_RENTAL, {"command": command_id}).first()
    if found is None:
        car, command, box = session.execute(_OF_CAR, {"command": command_id}).one()
        clock.again()
        return car, None, command, box
    clock.again()
    car, rental, command, box = found
    return car, rental, command, box


def _note(command: Command, box: Box, answer: Answer) -> None:
    """What was sent and said (the PIN masked), and the readings that came with it."""
    command.sent_text, command.answer_text = answer.sent or None, answer.text[:500] or None
    command.evidence = None if answer.evidence is Evidence.NONE else answer.evidence.value
    if answer.answered_at is not None:
        command.answered_at = clock.of_receipt(answer.answered_at)
    if len(answer.state):
        readings.merge(box, answer.state, clock.now())
    if answer.kind is AnswerKind.CONFIRMED and command.evidence:
        seen = {"seen_at": z(clock.now()), "evidence": command.evidence}
        box.capabilities = {**box.capabilities, command.kind: seen}


def _resume(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    assert rental is not None
    if settle_plainly(command, answer, reason):
        _resumed(car, rental, command)
    tell_unknown(rental, command)


def _resumed(car: Car, rental: Rental, command: Command) -> None:
    """The driver is back in, or in at last where nobody saw the doors open at the start."""
    rental.paused = False
    if rental.started_at is None:
        begin(car, rental, command.id)
    facts.record(RentalResumed(rental=rental.id, command=command.id))


def _pause(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    del car
    assert rental is not None
    if settle_plainly(command, answer, reason):
        _paused(rental, command)
    tell_unknown(rental, command)


def _paused(rental: Rental, command: Command) -> None:
    rental.paused = True
    facts.record(RentalPaused(rental=rental.id, command=command.id))


def _other(
    car: Car, rental: Rental | None, command: Command, answer: Answer | None, reason: str | None
) -> None:
    """The owner's door, charge, climate and ping: nothing moves but the command."""
    del rental
    settle_plainly(command, answer, reason)
    facts.record(OwnerCommandSettled(car=car.id, command=command.id, what=command.kind, state=command.state))


_HANDLERS: dict[str, Callable[[Car, Rental | None, Command, Answer | None, str | None], None]] = {
    "unlock": answered_unlock,
    "resume": _resume,
    "pause": _pause,
    "lock": answered_lock,
    "owner": _other,
    "driver": _other,
}


def _shows_locked(box: Box, command: Command) -> bool:
    """By a reading that came after the answer: an earlier one may be of the car before the driver got back in."""
    came, answered = readings.instant(box, "locked"), command.answered_at
    after = came is not None and answered is not None and came >= answered
    return after and readings.value(box, "locked") is True
