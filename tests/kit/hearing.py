"""Every statement that is sent while one listens, whoever sends it: hot reads, plain statements, the session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.kit import driver
from app.kit.db import db, release
from app.kit.driver import autocommit_engine


@contextmanager
def statements() -> Iterator[list[str]]:
    """Filled in the order in which they are sent, without their values."""
    heard: list[str] = []

    class Heard(driver.Cursor):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append(query.decode() if isinstance(query, bytes) else str(query))
            return super().execute(query, *args, **kwargs)

    def listen(connection: Any, *_: Any) -> None:
        connection.cursor_factory = Heard

    def leave(connection: Any, *_: Any) -> None:
        if connection is not None:
            connection.cursor_factory = driver.Cursor

    release()  # what is held now was taken before we listened
    pools = [db.engine.pool, autocommit_engine().pool]
    for pool in pools:
        event.listen(pool, "checkout", listen)
        event.listen(pool, "checkin", leave)
    try:
        yield heard
    finally:
        release()
        for pool in pools:
            event.remove(pool, "checkout", listen)
            event.remove(pool, "checkin", leave)
