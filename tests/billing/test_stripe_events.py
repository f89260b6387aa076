from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.billing import reconcile, webhook
from app.billing.models import WebhookEvent
from app.doors import Doors
from app.factory import create_app
from app.kit import clock, deadlines
from app.kit.clock import real_now
from app.kit.db import dispose, release, session, transactional
from app.kit.errors import Unavailable
from insurance.partners import partners_of
from payments.double.running import RunningDouble
from payments.gateway import Event
from payments.stripe_gateway import StripeGateway
from tests.billing.desk import ALWAYS_3DS, Desk
from tests.conftest import settings_for


def _stored(event: str) -> int:
    release()
    return len(session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == event)).all())


def test_an_event_told_twice_is_stored_once_and_answered_alike(desk: Desk) -> None:
    rental = desk.held(9000)
    event = desk.event(rental, "payment_intent.amount_capturable_updated")
    for _ in range(2):
        assert desk.deliver(event).status_code == 200
    assert _stored(event["id"]) == 1
    assert desk.jobs() == []
    assert desk.facts(rental) == ["PaymentHeld"]


def test_late_and_out_of_order_events_change_nothing(desk: Desk) -> None:
    rental = desk.plan(number=ALWAYS_3DS, on_session=True)
    desk.jobs()
    desk.confirm(rental, three_ds="ok")
    held = desk.event(rental, "payment_intent.amount_capturable_updated")
    asked = desk.event(rental, "payment_intent.requires_action")
    desk.deliver(held)
    assert desk.jobs() == []
    assert desk.end(rental, 6000) == []
    taken = desk.event(rental, "payment_intent.succeeded")
    for event in (taken, asked, {**held, "id": held["id"] + "again"}):
        assert desk.deliver(event).status_code == 200
    assert desk.jobs() == []
    assert desk.payment(rental).state == "captured"
    assert desk.facts(rental) == ["PaymentActionRequired", "PaymentHeld", "PaymentSucceeded"]


def test_an_event_faster_than_our_own_answer_is_applied_and_the_answer_adds_nothing(desk: Desk) -> None:
    rental = desk.plan()
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert len(desk.jobs()) == 1
    desk.deliver(desk.event(rental, "payment_intent.amount_capturable_updated"))
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert desk.facts(rental) == ["PaymentHeld"]
    assert desk.open_commands(desk.payment(rental).id) == []


def test_forged_old_and_unsigned_events_are_refused(desk: Desk) -> None:
    rental = desk.held(9000)
    event = desk.event(rental, "payment_intent.amount_capturable_updated")
    for answer in (desk.deliver(event, secret="whsec_other"), desk.deliver(event, age_s=400)):
        assert answer.status_code == 400
        assert answer.get_json()["type"] == "/problems/signature-invalid"
    assert desk.app.test_client().post("/webhooks/stripe", data=b"\xff\x00").status_code == 400
    assert _stored(event["id"]) == 0


def test_a_stray_idempotency_key_does_no_harm(desk: Desk) -> None:
    rental = desk.held(9000)
    event = desk.event(rental, "payment_intent.amount_capturable_updated")
    assert desk.deliver(event, idempotency_key="somebody-adds-one").status_code == 200
    assert _stored(event["id"]) == 1


def test_without_a_secret_the_endpoint_does_not_exist(house: Flask, database: str, desk: Desk) -> None:
    gateway = StripeGateway("sk_test_double", base_url=desk.double.url)
    closed = create_app(
        settings_for(database), Doors(insurers=partners_of([]), payments=gateway, push=None, mail=None)
    )
    assert closed.test_client().post("/webhooks/stripe", data=b"{}").status_code == 404
    with closed.app_context():
        dispose()
    gateway.close()


def test_an_unknown_object_is_waited_for_an_hour_and_then_let_be(desk: Desk) -> None:
    webhook.store("platform", Event("evt_1", "setup_intent.succeeded", "seti_unknown", clock.now()))
    (waits,) = desk.jobs()
    assert isinstance(waits, Unavailable)
    session.execute(
        text("update webhook_events set received_at = :at where event_id = 'evt_1'"),
        {"at": real_now() - timedelta(hours=2)},
    )
    session.commit()
    assert desk.jobs() == []
    row = session.scalars(select(WebhookEvent).where(WebhookEvent.event_id == "evt_1")).one()
    assert row.outcome == "unknown"


@pytest.mark.parametrize("kind", ["charge.dispute.created", "payment_method.detached", "charge.updated"])
def test_other_events_are_worked_off_too(desk: Desk, kind: str) -> None:
    webhook.store("platform", Event(f"evt_{kind}", kind, "obj_unknown", clock.now()))
    assert desk.jobs() == []


def test_what_was_never_delivered_is_fetched(desk: Desk, double: RunningDouble) -> None:
    rental = desk.plan(number=ALWAYS_3DS, on_session=True)
    desk.jobs()
    desk.confirm(rental, three_ds="ok")
    found = reconcile.run()
    assert "undelivered" in {one.kind for one in found}
    assert desk.standing(rental) == "held"
    assert desk.jobs() == []
    assert "state" not in {one.kind for one in reconcile.run()}


def test_amounts_that_differ_are_reported_from_both_sides(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 6000)
    assert desk.jobs() == []
    row = session.merge(desk.payment(rental))
    row.captured -= 1
    session.commit()
    release()
    assert ("captured", row.id, "5999", "6000") in [
        (one.kind, one.subject, one.ours, one.theirs) for one in reconcile.run()
    ]
    row = session.merge(desk.payment(rental))
    row.captured += 1
    session.commit()


def test_the_comparison_is_made_again_in_a_quarter_of_an_hour(desk: Desk) -> None:
    @transactional
    def take() -> None:
        reconcile.due("payments")

    take()
    next_one = session.get_one(deadlines.Deadline, ("reconcile", "payments"), populate_existing=True)
    assert timedelta(minutes=14) < next_one.due_at - clock.now() <= timedelta(minutes=15)
    assert desk.jobs() == []
