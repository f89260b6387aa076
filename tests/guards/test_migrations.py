"""Guards of the tables: one newest migration, and models equal migrations."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

from app.kit.db import Model, db
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
