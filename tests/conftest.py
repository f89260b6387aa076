"""What tests stand on: a real PostgreSQL of this test process, the app on it, people and cars to play with."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade

from app.doors import Doors
from app.factory import create_app
from app.kit.config import Limits, Mode, Settings
from app.kit.db import db
from app.kit.embedded_postgres import EmbeddedPostgres

ROOMY = (100_000, 60)


def settings_for(database_url: str) -> Settings:
    return Settings(
        mode=Mode.TEST,
        database_url=database_url,
        listen_database_url=database_url,
        secret_key=b"k" * 32,
        public_url="http://glovebox.test",
        limits=Limits(ROOMY, ROOMY, ROOMY, ROOMY, ROOMY, ROOMY, ROOMY),
    )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One cluster per test process, migrated."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    os.chmod(folder, 0o755)  # noqa: PTH101, S103
    server = EmbeddedPostgres(folder)
    server.start()
    yield server.url()
    server.stop()


@pytest.fixture(scope="session")
def house(database: str) -> Iterator[Flask]:
    """The app in this process, without doors."""
    app = create_app(settings_for(database), Doors(insurers={}, payments=None, push=None, mail=None))
    with app.app_context():
        upgrade(str(Path(__file__).parent.parent / "migrations"))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(house: Flask) -> Iterator[Flask]:
    """An application context of one test."""
    with house.app_context():
        yield house
