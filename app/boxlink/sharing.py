"""Boxlinks that run at once share the boxes: by its name each box belongs to one of those that live."""

import hashlib
import secrets
import threading
from collections.abc import Iterable
from typing import Any

import psycopg
import structlog

from app.kit.listen import connect

log = structlog.get_logger(__name__)
LIVES, LOOK_S, HANGS_S = 7008, 1.0, 15.0
_JOIN = "select pg_advisory_lock_shared(%s, %s)"
_LIVING = (
    "select distinct objid from pg_locks join pg_stat_activity using (pid)"
    " where locktype = 'advisory' and classid = %s and objsubid = 2 and granted and datname = current_database()"
    " and query_start > clock_timestamp() - make_interval(secs => %s)"
)


def owner(username: str, living: Iterable[int]) -> int:
    """Whose box it is. When a boxlink comes or goes, no other boxes move than those that it gets or had.

    Rendezvous hashing: each boxlink draws for each box, and the highest wins.
    """
    return max(living, key=lambda one: hashlib.blake2b(f"{one}/{username}".encode(), digest_size=8).digest())


class Member:
    """One boxlink among those that live.

    A lock on a connection of its own says that it does, and the database takes it back however the process ends. One that
    hangs does not look any more, and the others see that too. The number is drawn anew by each process, so that nobody waits
    for one that a dead process may still hold.
    """

    def __init__(self, url: str, *, hangs_s: float = HANGS_S) -> None:
        self._url, self._hangs_s = url, hangs_s
        self._number = 1 + secrets.randbelow(2**31 - 1)
        self.living = frozenset({self._number})
        """Those that live, as of the last look."""
        self._held: psycopg.Connection[Any] | None = None

    @property
    def name(self) -> str:
        """Its client id at the broker, and its name on the commands that it claims."""
        return _name(self._number)

    @property
    def rank(self) -> int:
        """Its place among those that live, from 1."""
        return sorted(self.living).index(self._number) + 1

    def look(self) -> bool:
        """See who lives; False while the database is away, and then all is as it was."""
        try:
            if self._held is None or self._held.closed:
                self._held = connect(self._url)
                self._held.execute(_JOIN, (LIVES, self._number))
            rows = self._held.execute(_LIVING, (LIVES, self._hangs_s)).fetchall()
        except psycopg.Error as error:
            log.warning("looking for the others again", error=repr(error))
            self.leave()
            return False
        living = frozenset(number for (number,) in rows)
        if living != self.living:
            log.info("boxlinks", living=[_name(number) for number in sorted(living)], me=self.name)
        self.living = living
        return True

    def keep_looking(self, stop: threading.Event) -> None:
        """From a thread of its own, so that no work keeps it from being seen to live."""
        while not stop.wait(LOOK_S):
            self.look()

    def has(self, username: str) -> bool:
        return owner(username, self.living) == self._number

    def lives(self, name: str) -> bool:
        return any(_name(number) == name for number in self.living)

    def leave(self) -> None:
        """From now on its boxes are the others'."""
        if self._held is not None:
            self._held.close()
            self._held = None


def _name(number: int) -> str:
    return f"glovebox-{number:08x}"
