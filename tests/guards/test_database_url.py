"""Tests stand on the server of DATABASE_URL where there is one, each test process in databases of its own."""

import psycopg
import pytest

from app.kit.listen import conninfo
from tests.conftest import own_database


def there(server: str, name: str) -> bool:
    with psycopg.connect(conninfo(server)) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", (name,))
        return found.fetchone() is not None


def test_a_given_server_gets_a_database_for_as_long_as_it_is_needed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    with own_database("guard") as url:
        name = url.rpartition("/")[2]
        assert name.endswith("_guard_gw7")
        with psycopg.connect(conninfo(url)) as connection:
            assert connection.execute("select current_database()").fetchone() == (name,)
        assert there(database, name)
    assert not there(database, name)


def test_without_one_a_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with own_database("guard") as url:
        assert url == ""
