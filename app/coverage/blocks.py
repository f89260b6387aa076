"""Drivers an insurer has refused: it binds no further cover of theirs until an operator lifts the block."""

from sqlalchemy import select

from app.coverage.models import DriverBlock
from app.facts import DriverBlocked
from app.kit import clock, facts
from app.kit.db import session, transactional
from app.kit.errors import NotFound


def block(insurer: str, person: str, cover: str, reason: str) -> None:
    """Joins the caller's transaction; a second refusal renews the first."""
    row = session.get(DriverBlock, (insurer, person)) or DriverBlock(insurer_id=insurer, person_id=person)
    row.cover_id, row.reason, row.blocked_at, row.lifted_at = cover, reason, clock.now(), None
    session.add(row)
    session.flush()
    facts.record(DriverBlocked(insurer=insurer, person=person))


@transactional
def lift(insurer: str, person: str) -> None:
    """The insurer will have the driver again. Raises NotFound."""
    row = session.get(DriverBlock, (insurer, person))
    if row is None or row.lifted_at is not None:
        raise NotFound
    row.lifted_at = clock.now()


def of(person: str) -> list[DriverBlock]:
    """The live blocks of a person."""
    statement = select(DriverBlock).where(DriverBlock.person_id == person, DriverBlock.lifted_at.is_(None))
    return list(session.scalars(statement))
