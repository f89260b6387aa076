"""Rows of money: how fast webhooks are taken, and how fast two workers settle rentals that have ended."""

import json
import secrets
import time
from datetime import timedelta
from typing import Any

import psycopg
import stripe

from app.billing import capture, hold
from app.facts import RentalEnded
from app.kit import clock
from app.kit.db import bare, public, release, transactional
from app.kit.metrics import lags
from app.supervisor import Supervisor
from bench.load import Call, quantile, run
from bench.seed import Seeded
from bench.turns import Row
from payments.money import Money
from payments.stripe_codes import API_VERSION
from payments.stripe_gateway import StripeGateway

WEBHOOKS_AIM = 200.0
"""A second; Stripe sends about five events for a rental."""
SETTLED_AIM = 10_000 / 600
"""A second: the evening's 10,000 within ten minutes."""
PRICE = Money(4200, "EUR")
PATIENCE_S = 1800


def webhooks(place: Supervisor, seeded: Seeded) -> Row:
    """POST /webhooks/stripe: each event another, signed, stored with its job before the 2xx; 8 clients."""
    secret = place.environment["GLOVEBOX_STRIPE_WEBHOOK_SECRETS"].split(",")[0]
    calls = [_webhook(secret) for _ in range(min(seeded.scale.calls, 10_000))]
    found = run(seeded.url, calls, seconds=seeded.scale.seconds)
    if found.failed:
        raise RuntimeError(f"webhook_http: {found.failed} of {found.count} requests failed")
    return _row("webhook_http", found.rate, WEBHOOKS_AIM, found.p50, found.p99)


def _webhook(secret: str) -> Call:
    """A hint about a charge that is not ours, which the worker drops with one look."""
    token = secrets.token_hex(12)
    event = {
        "id": f"evt_{token}",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "type": "charge.updated",
        "data": {"object": {"id": f"ch_{token}", "object": "charge"}},
    }
    body = json.dumps(event)
    signed = stripe.WebhookSignature.generate_signature_header(body, secret)
    headers = {"Content-Type": "application/json", "Stripe-Signature": str(signed)}
    return Call("POST", "/webhooks/stripe", headers, body.encode())


def settlement(place: Supervisor, seeded: Seeded) -> Row:
    """Ended rentals that are held, until two workers have captured each. p50 and p99: from the command to its outcome."""
    rentals = _held(place, seeded)
    place.start_worker("settling")
    try:
        with place.application().app_context():
            began = time.monotonic()
            for rental in rentals:
                _end(rental)
            release()
            _until(seeded.dsn, rentals, "state = 'captured'")
            took = time.monotonic() - began
        waited = _waited(seeded.dsn, rentals)
    finally:
        place.parts.pop("settling").stop()
    return _row("settlement", len(rentals) / took, SETTLED_AIM, quantile(waited, 0.5), quantile(waited, 0.99))


def _held(place: Supervisor, seeded: Seeded) -> list[str]:
    """So many past rentals, as one member's who pays for them all, each with a hold that the worker has made."""
    with psycopg.connect(seeded.dsn, autocommit=True) as db:
        rows = db.execute(
            "select r.id, r.driver_id from rentals r join cars c on c.no = r.car_no where c.owner_id = %s"
            " order by r.driver_id, r.id limit %s",
            (bare(seeded.owner, "per"), seeded.scale.settled),
        ).fetchall()
        if len(rows) < seeded.scale.settled:
            raise RuntimeError(f"settlement: {len(rows)} rentals are seeded of {seeded.scale.settled}")
        driver = rows[0][1]
        card = _card_there(place, db, driver)
    rentals = [public(row[0], "ren") for row in rows]
    with place.application().app_context():
        for rental in rentals:
            _plan(rental, public(driver, "per"), card, seeded.owner)
        release()
        _until(seeded.dsn, rentals, "state = 'held'")
        _until_idle()
    return rentals


def _until_idle() -> None:
    """What followed the holds, facts and the provider's events, is done: they are of the day before."""
    ends = time.monotonic() + PATIENCE_S
    while lags()["waiting"] > 0 and time.monotonic() < ends:
        time.sleep(0.5)


def _card_there(place: Supervisor, db: psycopg.Connection[Any], driver: Any) -> str:
    """The member's card of the seed becomes one that the double knows."""
    gateway = StripeGateway("sk_test_double", base_url=place.parts["stripe"].ready["url"])
    token = secrets.token_hex(8)
    customer = gateway.create_customer(person=str(driver), key=f"customer:{token}")
    setup = gateway.setup_card(customer, key=f"setup:{token}")
    place.control(
        "stripe",
        "POST",
        "setup_intents/confirm",
        client_secret=setup.client_secret,
        card="4242424242424242",
    )
    there = gateway.setup(setup.id).card
    gateway.close()
    db.execute("update customers set external_id = %s where person_id = %s", (customer, driver))
    row = db.execute(
        "update cards set external_id = %s where person_id = %s returning id", (there, driver)
    ).fetchone()
    assert row is not None
    return public(row[0], "crd")


@transactional
def _plan(rental: str, driver: str, card: str, owner: str) -> None:
    hold.plan(
        rental=rental,
        driver=driver,
        payee=owner,
        community=None,
        amount=PRICE,
        starts_at=clock.now() + timedelta(hours=1),
        card=card,
        on_session=False,
    )


@transactional
def _end(rental: str) -> None:
    """As the end of a rental does it, with what follows its fact."""
    now = clock.now()
    capture.settle_end(rental, PRICE)
    capture.on_ended(RentalEnded(rental, now, PRICE.amount, PRICE.currency, "box"))


def _until(dsn: str, rentals: list[str], stands: str) -> None:
    ids = [one.removeprefix("ren_") for one in rentals]
    query = f"select count(*) from payments where rental_id = any(%s::uuid[]) and {stands}"
    ends = time.monotonic() + PATIENCE_S
    with psycopg.connect(dsn, autocommit=True) as db:
        while time.monotonic() < ends:
            row = db.execute(query.encode(), (ids,)).fetchone()
            if row is not None and row[0] >= len(ids):
                return
            time.sleep(0.1)
    raise RuntimeError(f"settlement: not all {stands}")


def _waited(dsn: str, rentals: list[str]) -> list[float]:
    """Milliseconds from the command to its outcome."""
    ids = [one.removeprefix("ren_") for one in rentals]
    with psycopg.connect(dsn, autocommit=True) as db:
        rows = db.execute(
            "select extract(epoch from c.settled_at - c.made_at) from payment_commands c"
            " join payments p on p.id = c.payment_id where c.kind = 'capture' and p.rental_id = any(%s::uuid[])",
            (ids,),
        ).fetchall()
    return [1000 * float(row[0]) for row in rows]


def _row(name: str, rate: float, aim: float, p50: float, p99: float) -> Row:
    return {
        "name": name,
        "ours": round(rate, 1),
        "limit": round(aim, 1),
        "ratio": round(rate / aim, 3),
        "unit": "1/s",
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
    }
