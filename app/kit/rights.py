"""A revoked right is dead when the revoke returns: between the last check of a right and its use nobody can revoke it.

Who uses a right (boxlink, from the check to the box's answer, or two seconds after publishing) holds a shared lock on the
person; who revokes takes it alone, inside the transaction that revokes, and so waits for a use that has begun or is seen
by one that begins later.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.kit.db import session
from app.kit.keys import settings

_KEY = "hashtextextended(:person, 7004)"
_TAKE = text(f"select pg_advisory_lock_shared({_KEY})")
_GIVE_BACK = text(f"select pg_advisory_unlock_shared({_KEY})")
_TAKE_ALONE = text(f"select pg_advisory_xact_lock({_KEY})")


ARRIVED_WITHIN_S = 2.0
"""What was handed to the broker has reached a box that can be reached; its answer, which comes sooner, ends the wait."""
AT_ONCE = 64
"""As many as boxlink has threads: who holds a right needs further connections, so these never come from the same pool."""


def _engine() -> Engine:
    """The connections that hold rights, apart from the app's pool: the two together could not starve each other.

    Past any pooler: the lock is the session's, and a pooler by transactions would leave it with a stranger.
    """
    found: Engine | None = current_app.extensions.get("glovebox-rights")
    if found is None:
        found = create_engine(
            settings().listen_database_url,
            isolation_level="AUTOCOMMIT",
            pool_size=8,
            max_overflow=AT_ONCE - 8,
            pool_recycle=600,
        )
        current_app.extensions["glovebox-rights"] = found
    return found


@contextmanager
def used(person: str) -> Iterator["Use"]:
    """Hold the person's rights as they are, on a connection of its own, until `done` or the end."""
    use = Use(person, _engine().connect())
    try:
        use.begin()
        yield use
    finally:
        use.done()


class Use:
    """One use of a right. Its connection goes back with it: what follows may wait long for a silent box."""

    def __init__(self, person: str, connection: Connection) -> None:
        self._person = {"person": person}
        self._connection: Connection | None = connection
        self._guard = threading.Lock()
        self._timer = threading.Timer(ARRIVED_WITHIN_S, self.done)
        self._timer.daemon = True

    def begin(self) -> None:
        assert self._connection is not None
        self._connection.execute(_TAKE, self._person)

    def sent(self) -> None:
        """The right is on its way: its use ends with the answer, or when it must have arrived."""
        self._timer.start()

    def done(self) -> None:
        """The right has been used; a revoke need not wait any longer. A connection that broke has given it back itself."""
        with self._guard:
            connection, self._connection = self._connection, None
        self._timer.cancel()
        if connection is None:
            return
        try:
            connection.execute(_GIVE_BACK, self._person)
        except DBAPIError:
            connection.invalidate()
        finally:
            connection.close()


def revoke(person: str) -> None:
    """In the transaction that revokes: wait for uses that have begun, keep new ones out until the commit."""
    session.execute(_TAKE_ALONE, {"person": person})
