import uuid
from typing import Any

from flask import Flask

from app.billing import fraud_warning
from app.billing.models import Payment, PaymentCommand
from app.billing.payout_models import Dispute, FraudWarning
from app.kit import clock
from app.kit.db import session
from tests.messages import stage
from tests.operator.operators_desk import Desk

WHY = {"reason": "a test asks for it"}


def paid() -> Payment:
    payment, _ = stage.paid(stage.cast())
    row = session.get_one(Payment, payment)
    row.intent_id = f"pi_{payment}"
    session.commit()
    return row


def post(op: Desk, path: str, **body: Any) -> Any:
    return op.call("POST", path, {**WHY, **body}, Idempotency_Key=uuid.uuid4().hex)


def disputed(payment: Payment) -> str:
    now = clock.now()
    row = Dispute(
        payment_id=payment.id,
        rental_id=payment.rental_id,
        external_id=f"du_{payment.id}",
        key=f"evidence:{payment.id}",
        state="open",
        reason="fraudulent",
        amount=1250,
        currency="EUR",
        refundable=False,
        borne_by="platform",
        answer_by=now,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.commit()
    return row.id


def test_disputes_are_listed_and_an_owner_is_made_to_bear_one(app: Flask, op: Desk) -> None:
    made = disputed(paid())
    shown = next(one for one in op.get("/disputes?state=open")["items"] if one["id"] == made)
    assert (shown["borne_by"], shown["reason"], shown["evidence_sent_at"]) == ("platform", "fraudulent", None)
    assert post(op, f"/disputes/{made}/charge-owner").json["borne_by"] == "owner"
    assert op.acts()[0][1:3] == ("dispute charge-owner", made)


def test_a_warning_is_listed_until_it_is_cleared(app: Flask, op: Desk) -> None:
    payment = paid()
    row = FraudWarning(
        payment_id=payment.id,
        person_id=payment.person_id,
        external_id=f"issfr_{payment.id}",
        kind="misc",
        made_at=clock.now(),
    )
    session.add(row)
    session.commit()
    warning, driver = row.id, payment.person_id
    assert warning in [one["id"] for one in op.get("/fraud-warnings")["items"]]
    assert post(op, f"/fraud-warnings/{warning}/clear").status_code == 200
    assert warning not in [one["id"] for one in op.get("/fraud-warnings")["items"]]
    assert not fraud_warning.stops(driver)


def test_a_refund_gives_back_all_that_is_left_and_no_more(app: Flask, op: Desk) -> None:
    payment = paid().id
    assert post(op, f"/payments/{payment}/refund", amount=250).json["state"] == "refunding"
    assert post(op, f"/payments/{payment}/refund").status_code == 200
    assert post(op, f"/payments/{payment}/refund", amount=1).status_code == 422
    session.remove()
    asked = session.query(PaymentCommand).filter_by(payment_id=payment, kind="refund")
    assert sorted(one.amount or 0 for one in asked) == [250, 1000]


def test_what_is_disputed_is_not_given_back_too(app: Flask, op: Desk) -> None:
    payment = paid()
    disputed(payment)
    answer = post(op, f"/payments/{payment.id}/refund")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/step-not-allowed")
