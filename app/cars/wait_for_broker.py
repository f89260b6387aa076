"""Waiting for the broker: an account is shown only once it knows it, a box is cut once it has let go of it."""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import select

from app.cars import box as boxes
from app.cars.models import Box
from app.kit import idempotency
from app.kit.db import end_reading, notify, session, transactional
from app.kit.errors import IdempotencyBusy, Unavailable

WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Before:
    """The accounts of a box before its password was changed, to be put back when the broker does not take the new one."""

    username: str
    password_hash: str
    next_username: str | None
    next_password_hash: str | None
    last_heard_at: datetime | None
    connected: bool

    @classmethod
    def of(cls, box: Box) -> "Before":
        return cls(**{name: getattr(box, name) for name in cls.__dataclass_fields__})

    def put_back(self, box: Box) -> None:
        for name in self.__dataclass_fields__:
            setattr(box, name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Made:
    """An account that was just made for a box; `before`: what it had, None for a box that is new."""

    box: str
    username: str
    before: Before | None = None


def wait_loaded(made: Made, scope: str) -> None:
    """Until boxlink has loaded the account into the broker, at most 20 s; else all is as before: Unavailable.

    `scope` is whose Idempotency-Key it was asked under: the answer kept for it is forgotten too.
    """
    waiting = current_app.extensions["glovebox"].commands
    waiting.until(made.box, lambda: not _waits(made.box), WITHIN_S)
    if not _stands(made, scope):
        raise Unavailable(
            "The account was not kept: the broker did not take it in time, or another was made meanwhile. Try again."
        )


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
def _stands(made: Made, scope: str) -> bool:
    """Whether the account is loaded. If not, a new box is dropped, and one that was there has the accounts it had.

    An account made after this one is for whoever made it to wait for: it is left alone.
    """
    box = session.get(Box, made.box, with_for_update=True)
    counts = box is not None and box.removed_at is None and boxes.newest(box) == made.username
    if box is not None and counts and box.loaded_at is not None:
        return True
    idempotency.forget(scope)
    if box is None or not counts:
        return False
    if made.before is None:
        boxes.take_out(box)
    else:
        made.before.put_back(box)
        notify("boxes", box.id)
    return False


def wait_cut(car: str) -> None:
    """Until the broker has let go of every box the car ever had, at most 20 s. Raises Unavailable: ask again."""
    waiting = current_app.extensions["glovebox"].commands
    if not waiting.until(car, lambda: not _is_being_cut(car), WITHIN_S):
        raise Unavailable(
            "The box is taken out, but the broker has not said yet that it is cut off. Ask again."
        )


def _is_being_cut(car: str) -> bool:
    found = boxes.being_cut(car)
    end_reading()
    return found
