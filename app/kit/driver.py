"""Statements of hot paths, run by the driver itself: SQLAlchemy's execution of them costs more than PostgreSQL's.

`read` outside transactions, on connections of its own; `plain` inside the present one.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import orjson
import psycopg
from flask import current_app
from psycopg.pq import ExecStatus
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier
from sqlalchemy import ClauseElement, Connection, Engine, Executable, NullPool, TextClause, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from app.kit.db import AUTOCOMMIT, db, in_transaction, session


def read(statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Any]:
    """A hot read: one statement in autocommit, outside the session; rows have names. Never inside a transaction.

    The driver runs a text by itself: SQLAlchemy's execution around it took longer than PostgreSQL did. Others need
    SQLAlchemy for their types.
    """
    if in_transaction():
        raise RuntimeError("read inside a transaction: it would not see what that transaction wrote")
    if not isinstance(statement, TextClause):
        with autocommit_engine().connect() as connection:
            return connection.execute(statement, parameters or {}).all()
    try:
        return _rows(autocommit_engine(), _spelt(statement)[0], parameters)
    except psycopg.Error as error:
        raise _said(error) from error


def _said(error: psycopg.Error) -> Exception:
    """The driver's error in the words of SQLAlchemy, without the values."""
    return DBAPIError.instance("a text", {}, error, psycopg.Error, hide_parameters=True)


def plain(
    statement: Executable, parameters: dict[str, Any] | None = None, *, flush: bool = True
) -> Sequence[Any]:
    """A statement of a hot path, run by the driver in the present transaction: a third of what SQLAlchemy's execution
    costs.

    For what a step only looks at, and for rows that no object of the session stands for: rows have names, ids are uuids
    both ways, and the session learns nothing of them. What the session has to write is written first, unless `flush` is
    off because the statement has nothing to do with it. The statement is one built at import.
    """
    present = session()
    if flush:
        present.flush()
    held = cast("psycopg.Connection[Any]", present.connection().connection.dbapi_connection)
    try:
        cursor = held.cursor(row_factory=namedtuple_row)
        spelt, values = _spelt(statement)
        cursor.execute(spelt, {**values, **parameters} if parameters else values)
        return () if cursor.rownumber is None else cursor.fetchall()
    except psycopg.Error as error:
        raise _said(error) from error


def copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table in the present transaction by COPY: a tenth of what inserting them one by one takes.

    Table and columns are names of ours; ids are uuids.
    """
    present = session()
    present.flush()
    held = cast("psycopg.Connection[Any]", present.connection().connection.dbapi_connection)
    names = SQL(", ").join(map(Identifier, columns))
    into = SQL("copy {} ({}) from stdin").format(Identifier(table), names)
    try:
        with held.cursor() as cursor, cursor.copy(into) as made:
            for row in rows:
                made.write_row(row)
    except psycopg.Error as error:
        raise _said(error) from error


@contextmanager
def long_read() -> Iterator[Connection]:
    """A connection for a read that takes long, beside which short transactions write: one transaction that only reads, so
    that nothing waits for it. Apart from the pools, which it would hold a part of for as long.
    """
    made = create_engine(
        db.engine.url,
        poolclass=NullPool,
        hide_parameters=True,
        json_deserializer=orjson.loads,
        connect_args=CONNECTION,
    )
    with made.connect() as connection:
        yield connection


def _rows(engine: Engine, statement: bytes, parameters: dict[str, Any] | None) -> Sequence[Any]:
    """A connection that broke since its last use, as all do when the server is restarted, is found out by using it: the
    statement only reads, so it is sent once more on a new one.
    """
    for last in (False, True):
        held = engine.raw_connection()
        try:
            cursor = held.cursor(row_factory=namedtuple_row)
            cursor.execute(statement, parameters)
            return cursor.fetchall()
        except psycopg.OperationalError:
            if last or not cast("psycopg.Connection[Any]", held.dbapi_connection).closed:
                raise
        finally:
            held.close()
        engine.dispose()
    raise AssertionError


@functools.lru_cache(maxsize=256)
def _spelt(statement: Executable) -> tuple[bytes, dict[str, Any]]:
    """The statement as the driver wants it, `%(name)s` for `:name`, and the values that stand in it."""
    made = cast("SQLCompiler", cast("ClauseElement", statement).compile(dialect=db.engine.dialect))
    return str(made).encode(), {name: one.value for name, one in made.binds.items() if not one.required}


class Cursor(psycopg.Cursor[Any]):
    """Says what its columns are in tuples, as PEP 249 has it: psycopg makes an object for each column of each result, and
    SQLAlchemy reads name and type alone.
    """

    __slots__ = ()

    @property
    def description(self) -> Any:
        found = self.pgresult
        if found is None or found.status != ExecStatus.TUPLES_OK:
            return None
        rest = (None,) * 5
        return [((found.fname(n) or b"").decode(), found.ftype(n), *rest) for n in range(found.nfields)]


CONNECTION = {"application_name": "glovebox", "cursor_factory": Cursor}
"""How each connection of ours is opened."""


def autocommit_engine() -> Engine:
    """Connections apart for single statements: hot reads, and what must go on while requests hold all of the pool's
    (signing keys, limits on secrets). None waits for anything while it is held, so they cannot starve each other.
    """
    found: Engine | None = current_app.extensions.get(AUTOCOMMIT)
    if found is not None:
        return found
    made = create_engine(
        db.engine.url,
        isolation_level="AUTOCOMMIT",
        pool_size=current_app.extensions["glovebox"].settings.pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_recycle=600,
        pool_reset_on_return=None,  # nothing is left open on them, and a rollback is a call for each read
        hide_parameters=True,
        json_deserializer=orjson.loads,
        connect_args=CONNECTION,
    )
    kept: Engine = current_app.extensions.setdefault(AUTOCOMMIT, made)  # one, whichever thread was first
    return kept
