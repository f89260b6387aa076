"""From a fact to the people of `told.py`. Handlers run inside the reaction's transaction and only write rows."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.kit import clock
from app.kit.db import new_id, session
from app.kit.facts import Fact
from app.messages import channels, params, scene
from app.messages.kinds import KINDS
from app.messages.models import MSG, Message
from app.messages.scene import Scene
from app.messages.told import TABLE
from app.people.models import Person


def _tell(fact: Fact) -> None:
    here = scene.of(fact)
    for told in TABLE[type(fact)]:
        there = told.of(here)
        if there is None or not told.when(there):
            continue
        for person in dict.fromkeys(told.whom(there)):
            _write(told.kind, there, person)


def _write(kind: str, here: Scene, person: str | None) -> None:
    """The message and its deliveries, unless this person was told this already; an erased person is told nothing."""
    reader = session.get(Person, person) if person else None
    if person is not None and (reader is None or reader.erased_at is not None):
        return
    statement = insert(Message).values(
        id=new_id(MSG),
        person_id=person,
        fact_seq=here.seq,
        kind=kind,
        params=params.fill(kind, KINDS[kind].params, here, person),
        rental_id=here.rental_id,
        urgent=KINDS[kind].urgent,
        made_at=clock.now(),
    )
    made = session.execute(
        statement.on_conflict_do_nothing(constraint="messages_told_once_key").returning(Message.id)
    ).scalar_one_or_none()
    if made is not None:
        channels.send(session.get_one(Message, made), reader)


def _handler(kind: type[Fact]) -> Callable[[Any], None]:
    def tell(fact: Fact) -> None:
        _tell(fact)

    tell.__name__ = tell.__qualname__ = f"tell_{snake(kind.kind)}"
    return tell


def snake(name: str) -> str:
    """RentalAsked as rental_asked."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


REACTIONS: dict[type[Fact], tuple[Callable[[Any], None], ...]] = {kind: (_handler(kind),) for kind in TABLE}
"""For `app/reactions.py`: one reaction per fact of the table."""
