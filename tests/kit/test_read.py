"""Hot reads: on connections of their own, and none is lost because the server was restarted."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.kit.db import autocommit_engine, read, session

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
