"""What comes in at the two webhook routes: whose secret, which bytes, how often, how late; and that nothing waits."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe
from sqlalchemy import select

from app.billing.models import WebhookEvent
from app.kit.db import release, session
from payments.gateway import Endpoint
from payments.stripe_gateway import StripeGateway
from payments.stripe_webhook import StripeWebhook
from tests.billing.desk import CONNECT_SECRET, SECRET, Desk
from tests.kit.asking import slug

PLATFORM, CONNECT = "/webhooks/stripe", "/webhooks/stripe-connect"
HELD = "payment_intent.amount_capturable_updated"


def stored(event: str) -> list[str]:
    """At which endpoints the event was stored."""
    release()
    found = (
        select(WebhookEvent.endpoint).where(WebhookEvent.event_id == event).order_by(WebhookEvent.endpoint)
    )
    return list(session.scalars(found))


def signed(body: bytes, secret: str = SECRET, age_s: int = 0) -> str:
    stamp = int(time.time()) - age_s
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, stamp))


def post(desk: Desk, body: bytes, signature: str, path: str = PLATFORM) -> Any:
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
    return desk.app.test_client().post(path, data=body, headers=headers)


@contextmanager
def secrets(desk: Desk, platform: Sequence[str], connect: Sequence[str]) -> Iterator[None]:
    """The routes with these secrets in the settings."""
    hooks: dict[Endpoint, StripeWebhook] = {
        "platform": StripeWebhook(platform),
        "connect": StripeWebhook(connect),
    }
    gateway = StripeGateway("sk_test_double", base_url=desk.double.url, webhooks=hooks, retries=0)
    house = desk.app.extensions["glovebox"]
    kept, house.doors = house.doors, replace(house.doors, payments=gateway)
    try:
        yield
    finally:
        house.doors = kept
        gateway.close()


@pytest.fixture
def event(desk: Desk) -> dict[str, Any]:
    """The news of a hold, which we know of already."""
    found: dict[str, Any] = desk.event(desk.held(9000), HELD)
    return found


def test_each_route_believes_its_own_secret_alone(desk: Desk, event: dict[str, Any]) -> None:
    for path, wrong in ((PLATFORM, CONNECT_SECRET), (CONNECT, SECRET)):
        assert slug(desk.deliver(event, path=path, secret=wrong)) == "signature-invalid"
    assert stored(event["id"]) == []
    assert desk.deliver(event, path=CONNECT, secret=CONNECT_SECRET).status_code == 200
    assert desk.deliver(event).status_code == 200
    assert stored(event["id"]) == ["connect", "platform"]
    assert desk.jobs() == []


def test_a_route_without_a_secret_is_not_there_and_the_other_is(desk: Desk, event: dict[str, Any]) -> None:
    with secrets(desk, [SECRET], []):
        assert slug(desk.deliver(event, path=CONNECT, secret=CONNECT_SECRET)) == "not-found"
        assert slug(desk.deliver(event, path=CONNECT, secret="")) == "not-found"
        assert desk.deliver(event).status_code == 200
    with secrets(desk, [""], [CONNECT_SECRET]):
        assert slug(desk.deliver(event)) == "not-found"
        assert desk.deliver(event, path=CONNECT, secret=CONNECT_SECRET).status_code == 200
    assert stored(event["id"]) == ["connect", "platform"]


@pytest.mark.parametrize(("held", "let_in"), [(["whsec_old", "whsec_new"], 2), (["whsec_new"], 1)])
def test_while_a_secret_is_rotated_the_old_one_is_believed_too_and_then_no_more(
    desk: Desk, event: dict[str, Any], held: list[str], let_in: int
) -> None:
    with secrets(desk, held, []):
        answers = [
            desk.deliver({**event, "id": f"{event['id']}_{secret}"}, secret=secret).status_code
            for secret in ("whsec_new", "whsec_old")
        ]
    assert answers == [200, 200][:let_in] + [400] * (2 - let_in)


def test_the_very_bytes_are_believed_however_they_are_written(desk: Desk, event: dict[str, Any]) -> None:
    body = json.dumps(event, indent=3, ensure_ascii=False).replace("\n", "\r\n").encode()
    for changed in (body + b"\n", json.dumps(event).encode(), body.replace(b"\r\n", b"\n")):
        assert slug(post(desk, changed, signed(body))) == "signature-invalid"
    assert post(desk, body, signed(body)).status_code == 200
    assert stored(event["id"]) == ["platform"]


def test_a_body_signed_by_somebody_else_or_for_another_is_refused(desk: Desk, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    forged = json.dumps({**event, "data": {"object": {"id": "pi_somebody_elses"}}}).encode()
    for sent, signature in ((body, signed(body, "whsec_guess")), (forged, signed(body)), (body, "")):
        assert slug(post(desk, sent, signature)) == "signature-invalid"
    assert stored(event["id"]) == []


@pytest.mark.parametrize(("age_s", "status"), [(290, 200), (310, 400)])
def test_a_signature_is_good_for_five_minutes(
    desk: Desk, event: dict[str, Any], age_s: int, status: int
) -> None:
    assert desk.deliver(event, age_s=age_s).status_code == status
    assert len(stored(event["id"])) == (status == 200)


def test_the_window_is_of_real_time_however_far_business_time_has_moved(
    desk: Desk, event: dict[str, Any]
) -> None:
    desk.forward(timedelta(hours=1))
    assert desk.deliver(event).status_code == 200
    assert slug(desk.deliver(event, age_s=400)) == "signature-invalid"


def test_a_replayed_body_is_answered_alike_and_stored_once(desk: Desk, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    signature = signed(body)
    assert [post(desk, body, signature).status_code for _ in range(3)] == [200] * 3
    assert stored(event["id"]) == ["platform"]


def test_told_many_times_at_once_it_is_stored_once(desk: Desk, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    signature = signed(body)
    release()
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: post(desk, body, signature).status_code, range(16)))
    assert answers == [200] * 16
    assert stored(event["id"]) == ["platform"]
    assert desk.jobs() == []


def test_the_answer_waits_for_nobody_the_object_is_read_by_a_worker(
    desk: Desk, event: dict[str, Any]
) -> None:
    calls = len(desk.double.get("log")["calls"])
    assert desk.deliver(event).status_code == 200
    assert len(desk.double.get("log")["calls"]) == calls
    row = session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == event["id"])).one()
    assert row.done_at is None
    release()
    assert desk.jobs() == []
    assert len(desk.double.get("log")["calls"]) > calls
    row = session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == event["id"])).one()
    assert (row.done_at is not None, row.outcome) == (True, "applied")


def test_while_the_provider_is_away_events_are_taken_and_worked_off_later(
    desk: Desk, event: dict[str, Any]
) -> None:
    desk.double.post("fault", next="500", path="/v1/payment_intents")
    assert desk.deliver(event).status_code == 200
    (error,) = desk.jobs()
    assert getattr(error, "temporary", False)
    assert desk.jobs() == []


def test_news_that_come_three_days_late_change_nothing_that_has_moved_on(desk: Desk) -> None:
    rental = desk.held(9000)
    held = desk.event(rental, HELD)
    desk.end(rental, 6000)
    assert desk.jobs() == []
    taken = desk.event(rental, "payment_intent.succeeded")
    facts, books = desk.facts(rental), desk.books(rental)
    desk.forward(timedelta(days=3))
    for late in (taken, held):
        assert desk.deliver(late).status_code == 200
    assert desk.jobs() == []
    assert (desk.facts(rental), desk.books(rental)) == (facts, books)
    assert desk.payment(rental).state == "captured"
