"""Many rows into an empty table: what it is found by is put up afterwards, one sort each instead of an insert for each row."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import psycopg

Tell = Callable[[str], None]
AT_ONCE, TOLD_EVERY = 5000, 500_000


@contextmanager
def without_indexes(dsn: str, tables: Sequence[str], tell: Tell) -> Iterator[None]:
    """Indexes and constraints that stand on one, but the primary keys, whose order the rows come in, are gone and come again."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("alter system set max_wal_size = '8GB'")
        db.execute("select pg_reload_conf()")
        constraints = db.execute(
            "select conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid) from pg_constraint"
            " where conrelid = any(%s::regclass[]) and contype in ('u', 'x')",
            (list(tables),),
        ).fetchall()
        for table, name, _ in constraints:
            db.execute(f"alter table {table} drop constraint {name}")
        plain = db.execute(
            "select i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) from pg_index i"
            " where i.indrelid = any(%s::regclass[]) and not i.indisprimary",
            (list(tables),),
        ).fetchall()
        for name, _ in plain:
            db.execute(f"drop index {name}")
        yield
        db.execute("set maintenance_work_mem = '1GB'")
        for name, definition in plain:
            tell(f"index {name}")
            db.execute(definition)
        for table, name, definition in constraints:
            tell(f"constraint {name}")
            db.execute(f"alter table {table} add constraint {name} {definition}")


def settled(dsn: str, tell: Tell) -> None:
    """Statistics and map of what was written, and the server as it was."""
    with psycopg.connect(dsn, autocommit=True) as db:
        tell("vacuum analyze")
        db.execute("vacuum analyze")
        db.execute("alter system reset max_wal_size")
        db.execute("select pg_reload_conf()")
        db.execute("checkpoint")


def copy(dsn: str, table: str, columns: str, lines: Iterable[str], tell: Tell) -> None:
    """Lines of COPY, each with its end. Keys are not checked: they are right."""
    written, lines = 0, iter(lines)
    with psycopg.connect(dsn) as db:
        db.execute("set session_replication_role = replica")
        with db.cursor().copy(f"copy {table} ({columns}) from stdin") as into:
            while part := list(islice(lines, AT_ONCE)):
                into.write("".join(part))
                written += len(part)
                if written % TOLD_EVERY == 0:
                    tell(f"{written:,} {table}")
    tell(f"{written:,} {table}, all")


def copied(db: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Rows of values in the present transaction."""
    with db.cursor().copy(f"copy {table} ({columns}) from stdin") as into:
        for row in rows:
            into.write_row(row)
