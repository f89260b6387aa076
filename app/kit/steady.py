"""Whether the clocks run steadily: the database's, by which covers begin and end, and this process's own.

Both are held against a clock that nobody sets, and against each other. `CLOCK_BOOTTIME` goes on while the machine sleeps,
as the wall clock does, so waking up is no step; a machine that was halted from outside knows nothing of it, and what sets
its clock right afterwards is one. `CLOCK_MONOTONIC` would take the first for a step too.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import structlog
from flask import Flask, current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.kit import heartbeat
from app.kit.db import in_transaction
from app.kit.driver import plain, read

log = structlog.get_logger(__name__)
LOOK_EVERY_S, KEPT_S = 1.0, 1.0
_BOOTTIME = getattr(
    time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC
)  # where there is none, that one counts sleep
_DATABASE = text("select clock_timestamp() as now")
Tell = Callable[[], float]


def since_boot() -> float:
    """Seconds that nobody sets."""
    return time.clock_gettime(_BOOTTIME)


def of_database() -> float:
    """The database's clock, as seconds of the epoch."""
    row = (plain(_DATABASE, flush=False) if in_transaction() else read(_DATABASE))[0]
    at: datetime = row.now
    return at.timestamp()


class Lead(NamedTuple):
    """By how much a clock runs ahead of another, at least and at most: looking takes time, and may take long."""

    least: float
    most: float

    def beyond(self, other: "Lead") -> float:
        """How far they surely lie apart, with the sign of this one; 0 where they may be the same."""
        if self.least > other.most:
            return self.least - other.most
        return min(0.0, self.most - other.least)


NONE = Lead(0.0, 0.0)


class _Seen(NamedTuple):
    """One look."""

    at: float
    wall: Lead
    database: Lead | None


class Watch:
    """One process's watch on the clocks, asked and told by any of its threads.

    A step or a difference of more than `bound_s` seconds makes it unsteady, until neither was seen for `steady_s`.
    """

    def __init__(
        self,
        bound_s: float,
        steady_s: float,
        *,
        wall: Tell = time.time,
        ticks: Tell = since_boot,
        database: Tell = of_database,
    ) -> None:
        self._bound_s, self._steady_s = bound_s, steady_s
        self._wall, self._ticks, self._database = wall, ticks, database
        self._guard = threading.Lock()
        self._seen: deque[_Seen] = deque()
        self._until: float | None = None
        self._words = ""
        self.moved, self.apart = 0.0, 0.0
        """By how many seconds a clock was last seen to step, and this process's runs ahead of the database's."""

    def look(self) -> None:
        """Look at all clocks once. Raises SQLAlchemyError where the database cannot be asked, after a look at our own."""
        wall = self._lead(self._wall)
        try:
            database = self._lead(self._database)
        except SQLAlchemyError:
            self._judge(_Seen(self._ticks(), wall, None))
            raise
        self._judge(_Seen(self._ticks(), wall, database))

    def _lead(self, clock: Tell) -> Lead:
        before = self._ticks()
        told = clock()
        return Lead(told - self._ticks(), told - before)

    def _judge(self, now: _Seen) -> None:
        with self._guard:
            while self._seen and self._seen[0].at < now.at - self._steady_s:
                self._seen.popleft()
            words = self._stepped(now) or self._differ(now)
            if words is not None:
                if words != self._words or self._until is None:
                    log.warning("the clock is not steady", says=words)
                self._words, self._until = words, now.at + self._steady_s
            elif self._until is not None and now.at >= self._until:
                log.warning("the clock is steady again", after=self._words)
                self._words, self._until, self.moved = "", None, 0.0
            if not self._seen or now.at - self._seen[-1].at >= KEPT_S:
                self._seen.append(now)

    def _stepped(self, now: _Seen) -> str | None:
        """Against every look within the steady time: a clock that is set in small parts is noticed too."""
        for before in self._seen:
            for whose, then, lead in (
                ("the database's clock", before.database, now.database),
                ("this machine's clock", before.wall, now.wall),
            ):
                if then is None or lead is None:
                    continue
                moved = lead.beyond(then)
                if abs(moved) > self._bound_s:
                    self.moved = moved
                    self._seen.clear()  # what follows is held against the clock as it is now
                    self._seen.append(now)
                    return f"{whose} was put {'forward' if moved > 0 else 'back'} by {abs(moved):.1f} s"
        return None

    def _differ(self, now: _Seen) -> str | None:
        if now.database is None:
            return None
        self.apart = now.wall.beyond(now.database)
        if abs(self.apart) <= self._bound_s:
            return None
        side = "ahead of" if self.apart > 0 else "behind"
        return f"this machine's clock is {abs(self.apart):.1f} s {side} the database's"

    @property
    def steady(self) -> bool:
        return self.wait_s() == 0

    def wait_s(self) -> int:
        """For how many seconds more, at least, the clock does not count as steady; 0: it does."""
        with self._guard:
            return 0 if self._until is None else max(1, round(self._until - self._ticks()))

    def words(self) -> str | None:
        """What is wrong; None while all is steady."""
        with self._guard:
            return None if self._until is None else self._words

    def keep_looking(self, app: Flask, stop: threading.Event, name: str | None = None) -> None:
        """Until stopped; with a name it is said, as a sign of life, what is seen."""
        beaten = -heartbeat.EVERY_S
        while not stop.is_set():
            with app.app_context():
                try:
                    self.look()
                    if name is not None and self._ticks() - beaten >= heartbeat.EVERY_S:
                        heartbeat.beat(heartbeat.clock_of(name), self.words() or heartbeat.FINE)
                        beaten = self._ticks()
                except SQLAlchemyError as error:
                    log.info("the database's clock cannot be asked", error=repr(error))
            stop.wait(LOOK_EVERY_S)

    def begin(self, app: Flask) -> None:
        """Keep looking beside the requests, as long as the process lives."""
        threading.Thread(
            target=self.keep_looking, args=(app, threading.Event()), name="clock", daemon=True
        ).start()


def watch() -> Watch:
    """The one of the present process."""
    found: Watch = current_app.extensions["glovebox"].watch
    return found
