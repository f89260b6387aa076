"""What became of the door commands in a timeline: who asked on which phone, what was sent and answered, and when."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.kit.db import session
from app.messages import words
from app.rentals.models import Command


def shown(ids: Sequence[str], language: str) -> dict[str, dict[str, Any]]:
    """Each by its id, as both sides of its rental see it; the PIN was masked before a text was kept."""
    rows = session.scalars(select(Command).where(Command.id.in_(ids)))
    return {row.id: _shown(row, language) for row in rows}


def _shown(row: Command, language: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "asked_by": words.first_name(row.asked_by, language),
        "asked_on": words.device(row.asked_on, language) if row.asked_on else None,
        "sent_text": row.sent_text,
        "answer_text": row.answer_text,
        "evidence": row.evidence,
        "sent_at": row.sent_at,
        "answered_at": row.answered_at,
    }
