"""Work that one process at a time does: who holds the lock does it, and another takes over when that one is gone."""

import threading
import time
from collections.abc import Callable

import structlog

from app.kit import heartbeat
from app.kit.db import release
from app.kit.keys import settings
from app.kit.listen import connect, notices

log = structlog.get_logger(__name__)
AGAIN_S, STILL_LEADER_S, GATHER_S = 1.0, 1.0, 0.02


def lead(lock: int, channel: str, every_s: float, stop: threading.Event, work: Callable[[], None]) -> None:
    """Do `work` soon after notices of a channel and at least every `every_s`, while this process leads, until stopped.

    `work` may for a moment run in two processes, when the database has cut a leader off that has not seen it yet.
    """
    while not stop.is_set():
        try:
            _while_leading(lock, channel, every_s, stop, work)
        except Exception as error:
            log.exception("leader", channel=channel, error=repr(error))
            release()
        stop.wait(AGAIN_S)


def _while_leading(
    lock: int, channel: str, every_s: float, stop: threading.Event, work: Callable[[], None]
) -> None:
    """The lock lives and dies with a connection of its own, never with one that goes back to a pool."""
    url = settings().listen_database_url
    with connect(url) as mine:
        if mine.execute("select pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
            return
        looked, beaten = time.monotonic(), 0.0
        for _ in notices(url, channel, every_s, stop, gather_s=GATHER_S):
            if time.monotonic() - looked > STILL_LEADER_S:
                mine.execute("select 1")
                looked, beaten = time.monotonic(), 0.0
            work()
            release()
            if time.monotonic() - beaten > heartbeat.EVERY_S:
                heartbeat.beat(channel)
                beaten = time.monotonic()
