"""The only place where all parts meet: settings, doors, routes, reactions."""

from dataclasses import dataclass

import orjson
from flask import Flask
from flask_migrate import Migrate
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli, reactions
from app.account import routes as account
from app.billing import community_routes as community_billing
from app.billing import deposit, dispute_evidence, dispute_of, hold, transfer
from app.billing import routes as billing
from app.cars import access as cars_access
from app.cars import add as cars_add
from app.cars import box as boxes
from app.cars import box_routes, calendar_import_routes, calendar_routes, charge_plan, terms_routes
from app.cars import routes as cars
from app.claims import access as claims_access
from app.claims import loss, loss_routes, said
from app.claims import photos as claimed_photos
from app.claims import routes as claims
from app.communities import invitation_routes, landing
from app.communities import make as communities_make
from app.communities import routes as communities
from app.coverage import caller, desk_routes, partner_routes, webhook_routes
from app.coverage import routes as coverage
from app.doors import Doors
from app.kit import auth, facts, http, metrics, open_routes, ready
from app.kit.auth import Loaders
from app.kit.config import Settings
from app.kit.db import db, end_reading
from app.kit.driver import CONNECTION
from app.kit.keys import KeyRing
from app.kit.listen import Waiting
from app.kit.openapi import OPENAPI, Contract
from app.kit.routes import PidConverter, Routes
from app.kit.steady import Watch
from app.messages import routes as messages
from app.messages import words
from app.operator import bank_routes, check_outside, hold_routes, insurer_routes, payment_routes
from app.operator import routes as operators
from app.people import licence_routes, phone_routes, sign_in
from app.people import routes as people
from app.rentals import access as rentals_access
from app.rentals import (
    cancel,
    change_routes,
    charge_watch,
    commands,
    damage_routes,
    damages,
    door_routes,
    driver_routes,
    evidence,
    extension_routes,
    feed_routes,
    forget_photos,
    grants_out,
    offline_routes,
    photo_routes,
    photo_sheet,
    represent,
    wait_routes,
    word_routes,
)
from app.rentals import routes as rentals


@dataclass(slots=True)
class House:
    """What every part may ask the app for."""

    settings: Settings
    doors: Doors
    keys: KeyRing
    loaders: Loaders
    commands: Waiting
    watch: Watch


def _end_reading(_: BaseException | None) -> None:
    end_reading()


def create_app(settings: Settings, doors: Doors) -> Flask:
    """The app on these settings, with these doors."""
    app = http.App("app", static_folder=None)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": settings.pool_size,
            "max_overflow": 4,
            "pool_pre_ping": False,
            "pool_use_lifo": True,
            "pool_recycle": 600,
            "hide_parameters": True,
            "json_deserializer": orjson.loads,
            "connect_args": CONNECTION,
        },
        **OPENAPI,
    )
    app.extensions["glovebox"] = House(
        settings=settings,
        doors=doors,
        keys=KeyRing(),
        loaders=Loaders(person=sign_in.caller_of, partner=caller.caller_of),
        commands=Waiting(settings.listen_database_url, "command_settled", settings.waiters),
        watch=Watch(settings.clock_step_s, settings.clock_steady_s),
    )
    app.url_map.converters["pid"] = PidConverter
    db.init_app(app)
    app.teardown_appcontext(_end_reading)
    Migrate(app, db, compare_type=True)
    http.install(app)
    auth.install(app)
    metrics.install(app)
    facts.install(reactions.TABLE)
    _register(app, Contract(app))
    _wire()
    cli.install(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]
    return app


def _register(app: Flask, api: Api) -> None:
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(people.public)
    app.register_blueprint(open_routes.routes)
    app.register_blueprint(landing.routes)
    app.register_blueprint(desk_routes.routes)


MORE = (
    phone_routes,
    licence_routes,
    invitation_routes,
    terms_routes,
    calendar_routes,
    calendar_import_routes,
    box_routes,
    damage_routes,
    door_routes,
    driver_routes,
    change_routes,
    extension_routes,
    feed_routes,
    wait_routes,
    word_routes,
    offline_routes,
    insurer_routes,
    payment_routes,
    bank_routes,
    hold_routes,
    loss_routes,
)
"""Importing them adds their routes to the others of their package."""
BLUEPRINTS: tuple[Routes, ...] = (
    people.routes,
    communities.routes,
    cars.routes,
    rentals.routes,
    photo_routes.routes,
    feed_routes.public,
    billing.routes,
    community_billing.routes,
    billing.webhooks,
    coverage.routes,
    coverage.public,
    partner_routes.routes,
    webhook_routes.routes,
    messages.routes,
    claims.routes,
    operators.routes,
    account.routes,
)


def _wire() -> None:
    """What a lower package must ask of a higher one."""
    communities_make.IN_USE[:] = [cars_add.owned_by, transfer.unsent_to]
    cars_add.OPEN_RENTALS[:] = [rentals_access.open_of_car]
    cars_access.REVEALED_TO[:] = [represent.revealed_to]
    cars_access.REVEALED_FROM[:] = [represent.revealed_from]
    sign_in.STILL_DRIVES[:] = [rentals_access.drives]
    boxes.OPEN_COMMANDS[:] = [commands.open_needs_box]
    boxes.GRANTS_OUT[:] = [grants_out.of_car]
    charge_plan.STATED_KM[:] = [charge_watch.stated_km]
    billing.MAY_SEE_RENTAL[:] = [_rental_role]
    hold.ON_HOLD_IMPOSSIBLE[:] = [_cannot_pay]
    deposit.IN_HEARING[:] = [claims_access.damage_is_heard]
    dispute_evidence.EVIDENCE_OF[:] = [evidence.of]
    forget_photos.HELD[:] = [
        dispute_of.undecided,
        claimed_photos.needed,
        loss.is_open,
        damages.shows_photos_of,
    ]
    dispute_evidence.SHEET_OF[:] = [photo_sheet.of]
    words.SAID[:] = [said.said]
    ready.OUTSIDE[:] = [check_outside.seen]


def _rental_role(rental: str, person: str) -> str:
    role = rentals_access.role_of(rentals_access.may_see(rental, person), person)
    assert role is not None
    return role.value


def _cannot_pay(rental: str) -> None:
    cancel.by_system(rental, "the payment could not be secured")
