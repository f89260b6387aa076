"""A revoked right is dead when the revoke returns: between the last check of a right and its use nobody can revoke it.

Who uses a right (boxlink, from check to publish) holds a shared lock on the person; who revokes takes it alone, inside
the transaction that revokes, and so waits for a use that has begun or is seen by one that begins later.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from app.kit.db import autocommit_engine, session

_KEY = "hashtextextended(:person, 7004)"


@contextmanager
def used(person: str) -> Iterator["Use"]:
    """Hold the person's rights as they are, on a connection of its own, until `done` or the end."""
    with autocommit_engine().connect() as connection:
        connection.execute(text(f"select pg_advisory_lock_shared({_KEY})"), {"person": person})  # noqa: S608
        use = Use(
            lambda: connection.execute(text(f"select pg_advisory_unlock_shared({_KEY})"), {"person": person})
        )  # noqa: S608
        try:
            yield use
        finally:
            use.done()


class Use:
    """One use of a right."""

    def __init__(self, give_back: object) -> None:
        self._give_back = give_back

    def done(self) -> None:
        """The right has been used; a revoke need not wait any longer."""
        give_back, self._give_back = self._give_back, None
        if callable(give_back):
            give_back()


def revoke(person: str) -> None:
    """In the transaction that revokes: wait for uses that have begun, keep new ones out until the commit."""
    session.execute(text(f"select pg_advisory_xact_lock({_KEY})"), {"person": person})  # noqa: S608
