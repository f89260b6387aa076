"""Notes between driver and owner, from the request to a week after the rental is over."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select

from app.facts import NoteWritten
from app.kit import clock, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import NotAllowed, OutsideRules, StepNotAllowed
from app.rentals import access
from app.rentals.word_models import NOT, Note

AFTERWARDS, MOST = timedelta(days=7), 500


@transactional
def write(person: str, rental_id: str, text: str) -> Note:
    """Write to the other side, who is told. Raises NotFound, StepNotAllowed a week after, NotAllowed, OutsideRules."""
    rental = access.may_see(rental_id, person)
    now = clock.now()
    over = rental.ended_at or rental.over_at
    if over is not None and person == rental.driver_id and not access.may_book_on(rental):
        raise NotAllowed("After a rental only members write to each other.")
    if over is not None and now > over + AFTERWARDS:
        raise StepNotAllowed("Notes end a week after the rental.", state=rental.state, steps=[])
    if session.execute(select(func.count()).select_from(_of(rental_id).subquery())).scalar_one() >= MOST:
        raise OutsideRules(f"At most {MOST} notes in a rental.", rule="notes", limit=MOST)
    made = Note(id=new_id(NOT), rental_id=rental_id, by_id=person, text=text, made_at=now)
    session.add(made)
    session.flush()
    facts.record(NoteWritten(rental=rental_id, note=made.id, by=person))
    return made


def of(person: str, rental_id: str) -> Select[Any]:
    """All of a rental, the same for both sides. Raises NotFound."""
    access.may_see(rental_id, person)
    return _of(rental_id)


def _of(rental_id: str) -> Select[Any]:
    return select(Note).where(Note.rental_id == rental_id)
