"""Commands nobody works on any longer: boxlink is away, or died with them in hand. Each ends all the same.

One that was never claimed and has expired was surely not sent: refused, as if the box had not been reached. One that was
claimed may have acted: unknown, and it is never sent again by itself.
"""

from datetime import timedelta

from sqlalchemy import select

from app.cars.models import Box, Car
from app.kit import clock
from app.kit.db import release, session, transactional
from app.kit.keys import settings
from app.rentals import outcome
from app.rentals.models import Command
from carbox.box import Answer, AnswerKind

LOOKING = timedelta(seconds=10)
"""Longer than the look at an answer's effect takes: a boxlink that lives has settled its command by then."""
BOXLINKS_FIRST = timedelta(seconds=10)
"""Who hears the box gives its command up, and asks the car then what became of it; others wait so long."""


def settle() -> int:
    """End what nobody does: no boxlink runs, or those that run do not come to it. Returns how many."""
    found = silent(spared_for=BOXLINKS_FIRST)
    for command, _username in found:
        give_up(command)
    return len(found) + refuse_unsent()


def refuse_unsent() -> int:
    """End what has expired unclaimed; returns how many."""
    unsent = select(Command.id).where(Command.state == "created", Command.expires_at <= clock.now())
    found = session.scalars(unsent).all()
    release()
    for command in found:
        not_sent(command, "unreachable")
    return len(found)


def silent(spared_for: timedelta = timedelta(0)) -> list[tuple[str, str]]:
    """Claimed too long ago, and nobody has said what came of it: each command with the name of its box."""
    over = timedelta(seconds=settings().box_answer_within_s) + LOOKING + spared_for
    statement = (
        select(Command.id, Box.username)
        .join(Box, Box.id == Command.box_id)
        .where(Command.state == "sent", Command.claimed_at < clock.real_now() - over)
    )
    rows = session.execute(statement).all()
    release()
    return [(row.id, row.username) for row in rows]


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
