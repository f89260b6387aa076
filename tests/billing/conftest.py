"""The app with Stripe's double behind the payments door, and a hand that does what apps, banks and workers do."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.billing import hold, routes
from app.doors import Doors
from app.factory import create_app
from app.kit.db import dispose, release
from insurance.partners import partners_of
from payments.double.running import RunningDouble
from payments.gateway import Endpoint
from payments.stripe_disputes import StripeDisputes
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts
from payments.stripe_webhook import StripeWebhook
from tests.billing.desk import CONNECT_SECRET, SECRET, Desk
from tests.conftest import settings_for


@pytest.fixture(scope="session")
def double() -> Iterator[RunningDouble]:
    with RunningDouble() as running:
        yield running


@pytest.fixture(scope="session")
def bank(house: Flask, database: str, double: RunningDouble) -> Iterator[Flask]:
    hooks: dict[Endpoint, StripeWebhook] = {
        "platform": StripeWebhook((SECRET,)),
        "connect": StripeWebhook((CONNECT_SECRET,)),
    }
    gateway = StripeGateway("sk_test_double", base_url=double.url, webhooks=hooks, retries=0)
    payouts = StripePayouts("sk_test_double", base_url=double.url, retries=0)
    disputes = StripeDisputes("sk_test_double", base_url=double.url, retries=0)
    doors = Doors(
        insurers=partners_of([]), payments=gateway, push=None, mail=None, payouts=payouts, disputes=disputes
    )
    made = create_app(settings_for(database), doors)
    if "billing" not in made.blueprints:
        api = made.extensions["flask-smorest"]["apis"][""]["ext_obj"]
        api.register_blueprint(routes.routes)
        api.register_blueprint(routes.webhooks)
    yield made
    with made.app_context():
        dispose()
    for door in (gateway, payouts, disputes):
        door.close()


@pytest.fixture
def desk(bank: Flask, double: RunningDouble) -> Iterator[Desk]:
    hooks = list(hold.ON_HOLD_IMPOSSIBLE), list(routes.MAY_SEE_RENTAL)
    hold.ON_HOLD_IMPOSSIBLE.clear()
    routes.MAY_SEE_RENTAL.clear()
    with bank.app_context():
        yield Desk(bank, double)
        release()
    hold.ON_HOLD_IMPOSSIBLE[:], routes.MAY_SEE_RENTAL[:] = hooks
