"""An app with doors held in memory, and the reactions of messages alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from app import reactions
from app.doors import Doors
from app.factory import create_app
from app.kit import facts
from app.kit.db import dispose
from app.kit.keys import ensure_keys
from app.messages.routes import routes
from app.messages.tell import REACTIONS
from tests.conftest import settings_for
from tests.messages import stage
from tests.messages.stage import Letters, Pushes


@pytest.fixture(scope="session")
def doors(house: Flask) -> Doors:
    usual: Doors = house.extensions["glovebox"].doors
    return replace(usual, push=Pushes(), mail=Letters())


@pytest.fixture(scope="session")
def theatre(house: Flask, database: str, doors: Doors) -> Iterator[Flask]:
    """A second app on the migrated database of this process."""
    made = create_app(settings_for(database), doors)
    if routes.name not in made.blueprints:
        made.extensions["flask-smorest"]["apis"][""]["ext_obj"].register_blueprint(routes)
    with made.app_context():
        ensure_keys()
    yield made
    with made.app_context():
        dispose()


@pytest.fixture
def app(theatre: Flask) -> Iterator[Flask]:
    facts.install(REACTIONS)
    with theatre.app_context():
        yield theatre
    facts.install(reactions.TABLE)


@pytest.fixture
def pushes(app: Flask, doors: Doors) -> Pushes:
    assert isinstance(doors.push, Pushes)
    doors.push.__init__()  # type: ignore[misc]
    stage.forget_pushes()
    return doors.push


@pytest.fixture
def letters(doors: Doors) -> Letters:
    assert isinstance(doors.mail, Letters)
    doors.mail.__init__()  # type: ignore[misc]
    return doors.mail
