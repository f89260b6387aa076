"""The only place where all parts meet: settings, doors, routes, reactions."""

from dataclasses import dataclass

from flask import Flask
from flask_migrate import Migrate
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli, reactions
from app.cars import routes as cars
from app.communities import routes as communities
from app.doors import Doors
from app.kit import auth, facts, http, metrics
from app.kit.auth import Loaders
from app.kit.config import Settings
from app.kit.db import db
from app.kit.keys import KeyRing
from app.kit.listen import Waiting
from app.kit.openapi import OPENAPI, Contract
from app.kit.routes import PidConverter, Routes
from app.people import routes as people
from app.people import sign_in


@dataclass(slots=True)
class House:
    """What every part may ask the app for."""

    settings: Settings
    doors: Doors
    keys: KeyRing
    loaders: Loaders
    commands: Waiting


def create_app(settings: Settings, doors: Doors) -> Flask:
    """The app on these settings, with these doors."""
    app = Flask("app", static_folder=None)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": settings.pool_size,
            "max_overflow": 4,
            "pool_pre_ping": False,
            "pool_recycle": 600,
            "connect_args": {"application_name": "glovebox"},
        },
        **OPENAPI,
    )
    app.extensions["glovebox"] = House(
        settings=settings,
        doors=doors,
        keys=KeyRing(),
        loaders=Loaders(person=sign_in.caller_of, partner=_no_partner),
        commands=Waiting(settings.listen_database_url, "command_settled", settings.waiters),
    )
    app.url_map.converters["pid"] = PidConverter
    db.init_app(app)
    Migrate(app, db, compare_type=True)
    http.install(app)
    auth.install(app)
    metrics.install(app)
    facts.install(reactions.TABLE)
    _register(app, Contract(app))
    cli.install(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]
    return app


def _register(app: Flask, api: Api) -> None:
    for blueprint in _blueprints():
        api.register_blueprint(blueprint)
    app.register_blueprint(people.public)


def _blueprints() -> tuple[Routes, ...]:
    return (people.routes, communities.routes, cars.routes)


def _no_partner(_claims: object) -> None:
    raise NotImplementedError
