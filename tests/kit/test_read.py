"""Hot reads and plain statements: by the driver, in the words of SQLAlchemy, and a restart of the server costs none."""

import pytest
from flask import Flask
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from app.kit import clock
from app.kit.db import constraint, release, session, transactional
from app.kit.deadlines import Deadline
from app.kit.driver import autocommit_engine, plain, read

_MINE = text("select pg_backend_pid() as pid, cast(:word as text) as word, '100%' as percent")


def test_a_read_answers_in_named_tuples(app: Flask) -> None:
    row = read(_MINE, {"word": "Olga's"})[0]
    assert (row.word, row.percent) == ("Olga's", "100%")


def test_a_read_survives_connections_that_broke_since_their_last_use(app: Flask) -> None:
    held = [autocommit_engine().raw_connection() for _ in range(2)]
    pids = [one.cursor().execute("select pg_backend_pid()").fetchone()[0] for one in held]
    for one in held:
        one.close()
    for pid in pids:
        session.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
    assert read(_MINE, {"word": "again"})[0].pid not in pids


def test_a_read_is_refused_in_the_words_of_sqlalchemy(app: Flask) -> None:
    with pytest.raises(ProgrammingError):
        read(text("select nothing from nowhere"))
    with pytest.raises(OperationalError):
        read(text("select pg_terminate_backend(pg_backend_pid())"))
    assert read(_MINE, {"word": "again"})[0].word == "again"


def test_a_connection_that_broke_in_a_look_outside_a_transaction_is_given_back(app: Flask) -> None:
    """Else whoever looks in a loop of its own, as the sealer does, would end with the connection."""
    with pytest.raises(OperationalError):
        session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    release()
    assert session.execute(_MINE, {"word": "again"}).one().word == "again"


_WORD = text("select cast(:word as text) as word")
_TWICE = text("insert into deadlines (kind, ref, due_at) values ('late', :ref, now())")


@transactional
def test_a_plain_statement_sees_what_the_session_has_yet_to_write(app: Flask) -> None:
    session.add(Deadline(kind="late", ref="ren_1", due_at=clock.now()))
    found = plain(text("select ref from deadlines where ref = 'ren_1'"))
    assert [row.ref for row in found] == ["ren_1"]


@transactional
def test_a_plain_statement_takes_the_values_that_stand_in_it(app: Flask) -> None:
    plain(_TWICE, {"ref": "ren_2"})
    late = select(Deadline.ref).where(Deadline.kind == "late", Deadline.ref == bindparam("ref"))
    assert [row.ref for row in plain(late, {"ref": "ren_2"})] == ["ren_2"]


def test_a_plain_statement_names_the_constraint_that_refused_it(app: Flask) -> None:
    @transactional
    def twice() -> None:
        plain(_TWICE, {"ref": "ren_3"})
        plain(_TWICE, {"ref": "ren_3"})

    with pytest.raises(IntegrityError) as refused:
        twice()
    assert constraint(refused.value) == "deadlines_pkey"


def test_a_connection_that_broke_in_a_plain_statement_is_not_used_again(app: Flask) -> None:
    @transactional
    def broken() -> None:
        plain(text("select pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(OperationalError):
        broken()
    assert transactional(lambda: plain(_WORD, {"word": "again"})[0].word)() == "again"
