"""Who somebody is, for those who may know: as their account says, or as it said when it was erased, while that must be kept.

Kept it is sealed, until a date that the law's needs set (a fine a year old still finds its driver), and longer only while
an operator holds it for a reason.
"""

from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select

from app.facts import LegalHoldLifted, LegalHoldPlaced
from app.kit import clock, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, NotFound
from app.kit.keys import seal, unseal
from app.people.models import HLD, LegalHold, Licence, Person

PURPOSE = "identity"


class Identity(NamedTuple):
    """`licence` is country and the number's end."""

    name: str
    birth_date: date | None
    address: str | None
    licence: str | None


def of(person: str) -> Identity | None:
    """None once it is forgotten."""
    row = session.get(Person, person)
    if row is None:
        return None
    if row.erased_at is not None:
        return None if row.kept_sealed is None else _opened(row.kept_sealed)
    licence = session.get(Licence, person)
    said = f"{licence.country} ...{licence.number_end}" if licence is not None else None
    return Identity(row.name, row.birth_date, row.address, said)


def _opened(sealed: bytes) -> Identity:
    found: dict[str, Any] = orjson.loads(unseal(PURPOSE, bytes(sealed)))
    born = found["birth_date"]
    return Identity(
        found["name"], None if born is None else date.fromisoformat(born), found["address"], found["licence"]
    )


def keep(row: Person, until: datetime) -> None:
    """Seal what the account says before it is emptied; the row is locked."""
    found = of(row.id)
    assert found is not None
    row.kept_sealed = seal(PURPOSE, orjson.dumps(found._asdict()))
    row.kept_until = until


# -- legal holds


def holds_of(person: str) -> list[LegalHold]:
    """Those in force."""
    wanted = select(LegalHold).where(LegalHold.person_id == person, LegalHold.lifted_at.is_(None))
    return list(session.scalars(wanted))


@transactional
def hold(person: str, *, by: str, reason: str) -> LegalHold:
    """Keep who this is until it is lifted, also when the account is erased. Raises NotFound, AlreadyExists."""
    row = session.get(Person, person, with_for_update=True, populate_existing=True)
    if row is None or (row.erased_at is not None and row.kept_sealed is None):
        raise NotFound("No such account, or nothing is kept of it any more.")
    if holds_of(person):
        raise AlreadyExists("A hold is in force already.")
    made = LegalHold(id=new_id(HLD), person_id=person, reason=reason, placed_by=by, placed_at=clock.now())
    session.add(made)
    facts.record(LegalHoldPlaced(person=person, hold=made.id, by=by))
    return made


@transactional
def lift(person: str, *, by: str) -> None:
    """What was kept for this alone is forgotten within the hour. Raises NotFound."""
    session.get(Person, person, with_for_update=True, populate_existing=True)
    found = holds_of(person)
    if not found:
        raise NotFound("No hold is in force.")
    for one in found:
        one.lifted_at, one.lifted_by = clock.now(), by
        facts.record(LegalHoldLifted(person=person, hold=one.id, by=by))
