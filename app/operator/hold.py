"""Legal holds: who somebody is stays known, sealed, for a reason; each look at it is audited."""

from typing import Any

from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.operator.act import audit
from app.people import identity
from app.people.models import Person


@transactional
def place(person: str, *, by: str, reason: str) -> None:
    """Raises NotFound, AlreadyExists."""
    identity.hold(person, by=by, reason=reason)
    audit(by, "person hold", person, reason)


@transactional
def lift(person: str, *, by: str, reason: str) -> None:
    """Raises NotFound."""
    identity.lift(person, by=by)
    audit(by, "person lift-hold", person, reason)


@transactional
def look(person: str, *, by: str, reason: str) -> dict[str, Any]:
    """Who it is, with all that is kept. Raises NotFound once it is forgotten."""
    found = identity.of(person)
    if found is None:
        raise NotFound("Nothing is kept of this account.")
    audit(by, "person identity", person, reason)
    return {**standing(person), **found._asdict()}


def standing(person: str) -> dict[str, Any]:
    """Since when it is erased, until when it is kept, and the hold in force; nothing that says who it is."""
    row = session.get(Person, person)
    if row is None:
        raise NotFound
    holds = identity.holds_of(person)
    return {
        "person": person,
        "erased_at": row.erased_at,
        "kept_until": row.kept_until,
        "held_for": holds[0].reason if holds else None,
        "held_since": holds[0].placed_at if holds else None,
    }
