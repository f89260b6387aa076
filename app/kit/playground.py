"""Databases to play with: in them business time may move, and the row of its offset is the mark.

Demo, serve and tests touch no database of ours without the mark; production touches none that has it.
"""

import psycopg

from app.kit.config import BadSettingsError, Mode, Settings
from app.kit.listen import conninfo

CONNECT_WITHIN_S = 5
OURS = ("alembic_version", "facts", "clock_offset")
NOT_TO_PLAY_WITH = (
    "DATABASE_URL leads to a database that holds tables of Glovebox and was never a demo's or test's. Moving its time and"
    " filling it with sample people would damage it: unset DATABASE_URL, or name an empty database."
)
PLAYED_WITH = (
    "settings: DATABASE_URL is a demo's or test's database, in which business time may have been moved: take another"
    " (GLOVEBOX_MODE is production)"
)


def is_real(url: str) -> bool:
    """Whether this database is ours and without the mark. Raises psycopg.Error where it cannot be reached."""
    with psycopg.connect(conninfo(url), connect_timeout=CONNECT_WITHIN_S) as connection:
        return any(_has(connection, table) for table in OURS) and not _is_marked(connection)


def mark(url: str) -> None:
    """Once the tables are there: say that this one may be played with."""
    with psycopg.connect(conninfo(url), connect_timeout=CONNECT_WITHIN_S) as connection:
        connection.execute(
            "insert into clock_offset (single, milliseconds) values (true, 0) on conflict do nothing"
        )


def refuse_played(settings: Settings) -> None:
    """In production: raises BadSettingsError for a database to play with. One that is away is not asked."""
    if settings.mode is not Mode.PRODUCTION:
        return
    try:
        with psycopg.connect(conninfo(settings.database_url), connect_timeout=CONNECT_WITHIN_S) as connection:
            marked = _is_marked(connection)
    except psycopg.OperationalError:
        return
    if marked:
        raise BadSettingsError(PLAYED_WITH)


def _has(connection: psycopg.Connection[tuple[object, ...]], table: str) -> bool:
    found = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()
    return found is not None and bool(found[0])


def _is_marked(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    if not _has(connection, "clock_offset"):
        return False
    return connection.execute("select 1 from clock_offset").fetchone() is not None
