"""The app with the routes of coverage, on the database of this test process."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.coverage import partner_routes, partners, routes
from app.doors import Doors
from app.factory import create_app
from app.kit.auth import Loaders
from app.kit.db import db
from tests.conftest import settings_for


@pytest.fixture(scope="session")
def insured(house: Flask, database: str) -> Iterator[Flask]:
    """The app, with what insurers and drivers ask of it."""
    app = create_app(settings_for(database), Doors(insurers={}, payments=None, push=None, mail=None))
    if "insurer.read_coverage" not in app.view_functions:
        api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
        for blueprint in (routes.routes, routes.public, partner_routes.routes):
            api.register_blueprint(blueprint)
        found = app.extensions["glovebox"]
        found.loaders = Loaders(person=found.loaders.person, partner=partners.caller_of)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(insured: Flask) -> Iterator[Flask]:
    with insured.app_context():
        yield insured


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()
