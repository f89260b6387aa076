"""Waiting for the broker: an account is shown only once the broker knows it; else all is as it was."""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import select

from app.cars import box as boxes
from app.cars.models import Box
from app.kit import idempotency
from app.kit.db import end_reading, notify, session, transactional
from app.kit.errors import IdempotencyBusy, Unavailable

LOADED_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Before:
    """The accounts of a box before its password was changed, to be put back when the broker does not take the new one."""

    username: str
    password_hash: str
    next_username: str | None
    next_password_hash: str | None
    last_heard_at: datetime | None

    @classmethod
    def of(cls, box: Box) -> "Before":
        return cls(**{name: getattr(box, name) for name in cls.__dataclass_fields__})

    def put_back(self, box: Box) -> None:
        for name in self.__dataclass_fields__:
            setattr(box, name, getattr(self, name))


def wait_loaded(box: str, before: Before | None, scope: str) -> None:
    """Until boxlink has loaded the account into the broker, at most 20 s; else all is as before: Unavailable.

    `scope` is whose Idempotency-Key it was asked under: the answer kept for it is forgotten too.
    """
    waiting = current_app.extensions["glovebox"].commands
    waiting.until(box, lambda: not _waits(box), LOADED_WITHIN_S)
    if not _stands(box, before, scope):
        raise Unavailable("The broker did not take the account in time; nothing was kept. Try again.")


def _waits(box: str) -> bool:
    """Neither loaded nor dropped."""
    found = session.execute(
        select(Box.id).where(Box.id == box, Box.loaded_at.is_(None), Box.removed_at.is_(None))
    ).first()
    end_reading()
    return found is not None


def refuse_while_waiting(box: str) -> None:
    """A repeat of a request whose outcome is still open has no answer yet. Raises IdempotencyBusy."""
    if _waits(box):
        raise IdempotencyBusy("The same request is still running; ask again in a moment.")


@transactional
def _stands(box: str, before: Before | None, scope: str) -> bool:
    """Whether the account is loaded. If not, a new box is dropped, and one that was there has the accounts it had."""
    found = session.get(Box, box, with_for_update=True)
    if found is not None and found.loaded_at is not None and found.removed_at is None:
        return True
    idempotency.forget(scope)
    if found is None or found.removed_at is not None:
        return False
    if before is None:
        boxes.take_out(found)
    else:
        before.put_back(found)
        notify("boxes", found.id)
    return False
