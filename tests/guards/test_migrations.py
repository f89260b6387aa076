"""Guards of the tables: one newest migration, and models equal migrations."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.doors import Doors
from app.factory import create_app
from app.kit.db import Model, db, dispose
from app.kit.listen import conninfo
from insurance.partners import partners_of
from tests.conftest import settings_for
from tests.guards.test_chain import ROOT


def script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_there_is_one_newest_migration() -> None:
    assert len(script().get_heads()) == 1


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(one.revision) for one in script().walk_revisions())
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_models_equal_migrations(house: Flask) -> None:
    def ours(_thing: object, name: str | None, kind: str, _reflected: object, _other: object) -> bool:
        return not (kind in ("table", "index") and (name or "").startswith("procrastinate_"))

    with house.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
        differences = compare_metadata(context, Model.metadata)
    assert differences == []


@pytest.fixture
def bare_house(database: str) -> Iterator[Flask]:
    """The app on a database without a table."""
    url = make_url(database)
    name = Identifier(f"{url.database}_bare")
    drop = SQL("drop database if exists {} with (force)").format(name)
    with psycopg.connect(conninfo(database), autocommit=True) as server:
        server.execute(drop)
        server.execute(SQL("create database {} template template0 encoding 'UTF8'").format(name))
        own = url.set(database=f"{url.database}_bare").render_as_string(hide_password=False)
        app = create_app(
            settings_for(own), Doors(insurers=partners_of([]), payments=None, push=None, mail=None)
        )
        yield app
        with app.app_context():
            dispose()
        server.execute(drop)


BUILT_CONCURRENTLY = {
    "0013": ("covers", "covers_conditional_idx"),
    "0015": ("payment_commands", "payment_commands_transfer_key"),
    "0020": ("payments", "payments_one_deposit_key"),
    "0023": ("payment_commands", "payment_commands_target_next"),
}


@pytest.mark.parametrize("number", ["0045", "0047", "0050"])
def test_a_migration_that_was_cut_off_after_its_columns_is_run_again(bare_house: Flask, number: str) -> None:
    """What builds an index beside the work has committed its columns by then, but not its number."""
    migrations = str(ROOT / "migrations")
    with bare_house.app_context():
        upgrade(migrations, revision=number)
        with db.engine.begin() as connection:
            before = {"number": f"{int(number) - 1:04d}"}
            connection.execute(text("update alembic_version set version_num = :number"), before)
        upgrade(migrations)


def test_a_migration_that_left_an_invalid_index_is_run_again(bare_house: Flask) -> None:
    """A build that was cut off leaves its index behind, of which nothing can be said but that it is not valid."""
    migrations = str(ROOT / "migrations")
    with bare_house.app_context():
        for number, (table, index) in BUILT_CONCURRENTLY.items():
            upgrade(migrations, revision=f"{int(number) - 1:04d}")
            with db.engine.begin() as connection:
                connection.execute(text(f"create index {index} on {table} (id)"))
                spoilt = "update pg_index set indisvalid = false where indexrelid = cast(:index as regclass)"
                connection.execute(text(spoilt), {"index": index})
        upgrade(migrations, revision="0023")
        with db.engine.connect() as connection:
            rows = connection.execute(
                text(
                    "select c.relname, pg_get_expr(i.indpred, i.indrelid) from pg_index i join pg_class c"
                    " on c.oid = i.indexrelid where i.indisvalid and c.relname = any(:names)"
                ),
                {
                    "names": [index for _, index in BUILT_CONCURRENTLY.values()]
                    + ["payment_commands_target_key"]
                },
            ).all()
    names = {index for _, index in BUILT_CONCURRENTLY.values()} - {"payment_commands_target_next"}
    assert {name for name, _ in rows} == names | {"payment_commands_target_key"}
    assert len(rows) == len(BUILT_CONCURRENTLY)
    assert all(only is not None for _, only in rows)
