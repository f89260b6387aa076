"""Commands nobody works on any longer: boxlink is away, or died with them in hand. Each ends all the same.

One that was never claimed and has expired was surely not sent: refused, as if the box had not been reached. One that was
claimed may have acted: unknown, and it is never sent again by itself.
"""

from datetime import timedelta

from sqlalchemy import select

from app.cars.models import Car
from app.kit import clock
from app.kit.db import release, session, transactional
from app.kit.keys import settings
from app.rentals import outcome
from app.rentals.models import Command
from carbox.box import Answer, AnswerKind

LOOKING = timedelta(seconds=10)
"""Longer than the look at an answer's effect takes: a boxlink that lives has settled its command by then."""


def settle() -> int:
    """End what has expired unclaimed, and what was claimed too long ago; returns how many."""
    given_up = timedelta(seconds=settings().box_answer_within_s) + LOOKING
    unsent = _ids(Command.state == "created", Command.expires_at <= clock.now())
    silent = _ids(Command.state == "sent", Command.claimed_at < clock.real_now() - given_up)
    for command in unsent:
        not_sent(command, "unreachable")
    for command in silent:
        give_up(command)
    return len(unsent) + len(silent)


def _ids(*where: object) -> list[str]:
    found = session.scalars(select(Command.id).where(*where)).all()  # type: ignore[arg-type]
    release()
    return list(found)


@transactional
def not_sent(command: str, reason: str) -> None:
    """Nothing was sent, for `reason`; does nothing to a command that somebody has claimed meanwhile.

    The car is locked first, as everywhere; the command's own lock then waits for a claim that is being made.
    """
    car = session.execute(select(Command.car_id).where(Command.id == command)).scalar_one()
    session.get(Car, car, with_for_update=True)
    row = session.get(Command, command, with_for_update=True, populate_existing=True)
    if row is not None and row.state == "created":
        outcome.apply(command, None, reason)


def give_up(command: str) -> None:
    """A claimed command whose boxlink died: nobody knows what became of it."""
    outcome.apply(command, Answer(AnswerKind.SILENT))
