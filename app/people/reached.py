"""Phones that pushes go to: with an address, confirmed, and not left by their owner's signing out there."""

from collections.abc import Iterable

from sqlalchemy import func, select

from app.kit.db import session
from app.people import phones
from app.people.models import Phone, Session
from app.people.sign_in import SIGNED_OUT

_LAST_ENDED = func.coalesce(
    select(Session.revoked_reason)
    .where(Session.person_id == Phone.person_id, Session.installation == Phone.installation)
    .order_by(Session.id.desc())
    .limit(1)
    .correlate(Phone)
    .scalar_subquery(),
    "",
)
"""Why the last session there ended; empty while it lasts. One that was ended for safety's sake may hear of that."""


def of(person: str) -> list[Phone]:
    """A person's, newest first."""
    wanted = phones.live(person).where(
        Phone.push.is_not(None), Phone.confirmed_at.is_not(None), _LAST_ENDED != SIGNED_OUT
    )
    return list(session.scalars(wanted.order_by(Phone.id.desc())))


def signed_out(ids: Iterable[str]) -> set[str]:
    """Those of these phones on which somebody has signed out, and nobody in again."""
    found = select(Phone.id).where(Phone.id.in_(set(ids)), _LAST_ENDED == SIGNED_OUT)
    return set(session.scalars(found))
