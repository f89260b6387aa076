"""Readings from the inbox into the database: many boxes at once, then what they mean for rentals."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from app.boxlink.inbox import Inbox
from app.cars import readings
from app.kit.db import release
from app.rentals import reading
from carbox.box import BoxState

log = structlog.get_logger(__name__)
MOST_AT_ONCE = 100
"""Their rows are locked until all are written: the outcome of a command to one of them waits for that."""
LOOK_UP_S, AGAIN_S = 0.5, 0.5
Store = Callable[[dict[str, BoxState]], None]
Draw = Callable[[str, BoxState], None]
_AWAY = (InterfaceError, OperationalError)


def write(inbox: Inbox, store: Store = readings.take_all, draw: Draw = reading.take) -> int:
    """Write what has gathered; returns of how many boxes. What a database that is away did not take is kept."""
    came = list(inbox.take().items())
    for first in range(0, len(came), MOST_AT_ONCE):
        part = dict(came[first : first + MOST_AT_ONCE])
        try:
            _store(part, store)
            concerned = reading.concerned(part)
        except _AWAY:
            inbox.put_back(dict(came[first:]))
            raise
        inbox.put_back(
            {username: part[username] for username in concerned if not _drawn(username, part, draw)}
        )
    return len(came)


def _store(part: dict[str, BoxState], store: Store) -> None:
    try:
        store(part)
    except _AWAY:
        raise
    except Exception as error:
        log.exception("readings one by one", boxes=len(part), error=repr(error))
        _one_by_one(part, store)


def _drawn(username: str, part: dict[str, BoxState], draw: Draw) -> bool:
    """What a box's readings mean for its rental; False if the database did not say, so that they are looked at again."""
    try:
        draw(username, part[username])
    except _AWAY as error:
        log.warning("reading again", box=username, error=repr(error))
        release()
        return False
    except Exception as error:
        log.exception("reading", box=username, error=repr(error))
    return True


def _one_by_one(part: dict[str, BoxState], store: Store) -> None:
    """What one box said cannot be stored: that alone is left out."""
    for username, state in part.items():
        try:
            store({username: state})
        except _AWAY:
            raise
        except Exception as error:
            log.exception("readings", box=username, error=repr(error))


def keep_writing(inbox: Inbox, stop: threading.Event, store: Store = readings.take_all) -> None:
    """Until `stop`, and once more: what comes is written at once, what comes meanwhile is gathered.

    At most half of the time is spent on it, so that whoever listens can keep up.
    """
    while not stop.is_set():
        if inbox.wait(LOOK_UP_S):
            stop.wait(_timed(inbox, store))
    _timed(inbox, store)


def _timed(inbox: Inbox, store: Store) -> float:
    """How long to gather next: as long as this writing took, longer if it failed."""
    began = time.monotonic()
    try:
        write(inbox, store)
    except Exception as error:
        log.exception("readings", waiting=len(inbox), error=repr(error))
        release()
        return AGAIN_S
    return min(time.monotonic() - began, 1.0)
