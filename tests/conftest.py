"""What tests stand on: a real PostgreSQL, a database of this test process, the app on it, people and cars to play with."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from flask import Flask
from flask_migrate import upgrade
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app import loading
from app.demo import POLICY, SCOPES
from app.doors import Doors
from app.factory import create_app
from app.kit import clock
from app.kit.config import Limits, Mode, Settings
from app.kit.db import dispose, session
from app.kit.driver import read
from app.kit.embedded_postgres import EmbeddedPostgres
from app.kit.listen import conninfo
from app.kit.storage import FolderStorage
from app.supervisor import Supervisor
from insurance.partners import partners_of
from tests.contract.stripe_key import StripeKey
from tests.faults.table import MustHold

ROOMY = (100_000, 60)
IN_TESTS = {
    **{f"GLOVEBOX_LIMIT_{name.upper()}": "100000/60" for name in Limits.__dataclass_fields__},
    "GLOVEBOX_BOX_ANSWER_WITHIN_S": "5",
}
"""Settings of a whole place: no limit in the way of the stories, and a silent box is waited for a shorter time."""
PLACES = {"place", "stack"}
"""The fixtures that are a whole place."""


def pytest_configure(config: pytest.Config) -> None:
    """What is logged with an error is the plain traceback: with the values of all variables it takes seconds to write.

    Processes of a run keep their bytecode, whatever the environment says of it: there are dozens, and each would compile
    everything anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])
    config.pluginmanager.register(MustHold(), "must-hold")
    config.pluginmanager.register(StripeKey(), "stripe-key")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A place and a stack are much to start: one process of the run has all the tests that stand on one."""
    for item in items:
        for shared in PLACES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(shared))


def pytest_collection_finish() -> None:
    """What has been collected stays to the end."""
    loading.done()


def settings_for(database_url: str) -> Settings:
    return Settings(
        mode=Mode.TEST,
        database_url=database_url,
        listen_database_url=database_url,
        secret_key=b"k" * 32,
        public_url="http://glovebox.test",
        limits=Limits(**dict.fromkeys(Limits.__dataclass_fields__, ROOMY)),
    )


@contextmanager
def own_database(what: str) -> Iterator[str]:
    """A database of this test process on the server of DATABASE_URL, gone afterwards; empty when there is no such server."""
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        yield ""
        return
    url = make_url(given)
    name = f"{url.database}_{what}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    drop = SQL("drop database if exists {} with (force)").format(Identifier(name))
    make = SQL("create database {} template template0 encoding 'UTF8'").format(Identifier(name))
    with psycopg.connect(conninfo(given), autocommit=True) as server:
        server.execute(drop)
        server.execute(make)
    own = url.set(drivername="postgresql+psycopg", database=name)
    try:
        yield own.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(conninfo(given), autocommit=True) as server:
            server.execute(drop)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One cluster per test process, or one database of it on the server of DATABASE_URL."""
    with own_database("rows") as given:
        if given:
            yield given
            return
    folder: Path = tmp_path_factory.mktemp("postgres")
    os.chmod(folder, 0o755)  # noqa: PTH101, S103
    server = EmbeddedPostgres(folder)
    server.start()
    yield server.url()
    server.stop()


@pytest.fixture(scope="session")
def house(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app in this process, without doors; photos lie in a folder."""
    storage = FolderStorage(tmp_path_factory.mktemp("photos"))
    app = create_app(
        settings_for(database),
        Doors(insurers=partners_of([]), payments=None, push=None, mail=None, storage=storage),
    )
    with app.app_context():
        upgrade(str(Path(__file__).parent.parent / "migrations"))
    yield app
    with app.app_context():
        dispose()


@pytest.fixture(autouse=True)
def nothing_is_left_to_do(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test would be due later goes with it: else whoever moves time takes the steps of all before."""
    yield
    if "house" in request.fixturenames:
        house: Flask = request.getfixturevalue("house")
        with house.app_context():
            session.execute(_OF_THINGS)
            session.commit()


_OF_THINGS = text("delete from deadlines where ref ~ '[0-9a-f]{32}'")
"""Those of what a test has made; the few of the whole place have names."""


@pytest.fixture(autouse=True)
def cars_leave_the_street(request: pytest.FixtureRequest) -> Iterator[None]:
    """The boxes of a test go with it: each is a thread of the simulator that would work on for nobody."""
    places: list[Supervisor] = [
        request.getfixturevalue(name) for name in PLACES.intersection(request.fixturenames)
    ]
    before = [set(each.control("simulator", "GET", "state")) for each in places]
    yield
    for each, there in zip(places, before, strict=True):
        for username in set(each.control("simulator", "GET", "state")) - there:
            each.control("simulator", "DELETE", f"boxes/{username}")


@pytest.fixture
def app(house: Flask) -> Iterator[Flask]:
    """An application context of one test."""
    with house.app_context():
        _catch_up()
        yield house


_LAST_SEALED = text("select sealed_at from facts where position is not null order by position desc limit 1")


def _catch_up() -> None:
    """Where an earlier test put the clock back, what is sealed lies ahead of it until it has caught up.

    No rollback here: psycopg drops all prepared statements of a connection at every one, and each test would prepare anew.
    """
    last, now = read(_LAST_SEALED), clock.now()
    if last and last[0].sealed_at >= now:
        clock.forward(last[0].sealed_at - now + timedelta(seconds=1))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Everything, once per test process: PostgreSQL, Mosquitto, doubles, simulator, API, worker, boxlink."""
    folder = tmp_path_factory.mktemp("place")
    with (
        own_database("place") as given,
        Supervisor(folder, mode="test", api_workers=1, settings=IN_TESTS, database_url=given) as running,
    ):
        insure(running)
        yield running


def insure(place: Supervisor) -> dict[str, Any]:
    """Exemple Assurances and its master policy for France; returns the credentials of its client."""
    reason = ("--reason", "tests")
    made = json.loads(place.flask("operator", "insurer", "add", "Exemple Assurances", *reason))
    file = place.folder / "master-policy.json"
    file.write_text(json.dumps({**POLICY, "number": "FR-TEST"}), "utf-8")
    added = json.loads(place.flask("operator", "policy", "add", made["insurer"], str(file), *reason))
    place.flask("operator", "policy", "activate", added["policy"], *reason)
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    client: dict[str, Any] = json.loads(
        place.flask("operator", "insurer", "client", made["insurer"], "--label", "tests", *scopes, *reason)
    )
    place.parts["insurer"].ready["our_client"] = {**client, "insurer": made["insurer"]}
    return client
