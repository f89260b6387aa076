import json
import uuid
from typing import Any

from flask import Flask

from app.billing import commands, differences, fraud_warning, means
from app.billing.models import PaymentCommand
from app.kit.db import new_id, release, session
from app.operator import check_money
from app.operator.finding import State
from payments.money import Money
from tests.operator.in_trouble import capture_stuck, disputed, in_arrears, paid, refund_stuck, warned
from tests.operator.operators_desk import Desk

WHY = {"reason": "a test asks for it"}


def nothing_stuck() -> None:
    """What other tests left for an operator is no matter here."""
    session.query(PaymentCommand).filter_by(state=commands.STUCK).update({"state": commands.FAILED})
    session.commit()


def post(op: Desk, path: str, **body: Any) -> Any:
    return op.call("POST", path, {**WHY, **body}, Idempotency_Key=uuid.uuid4().hex)


def test_disputes_are_listed_and_an_owner_is_made_to_bear_one(app: Flask, op: Desk) -> None:
    made = disputed(paid())
    shown = next(one for one in op.get("/disputes?state=open")["items"] if one["id"] == made)
    assert (shown["borne_by"], shown["reason"], shown["evidence_sent_at"]) == ("platform", "fraudulent", None)
    assert post(op, f"/disputes/{made}/charge-owner").json["borne_by"] == "owner"
    assert op.acts()[0][1:3] == ("dispute charge-owner", made)


def test_a_warning_is_listed_until_it_is_cleared(app: Flask, op: Desk) -> None:
    payment = paid()
    warning, driver = warned(payment), payment.person_id
    assert warning in [one["id"] for one in op.get("/fraud-warnings")["items"]]
    assert post(op, f"/fraud-warnings/{warning}/clear").status_code == 200
    assert warning not in [one["id"] for one in op.get("/fraud-warnings")["items"]]
    assert not fraud_warning.stops(driver)


def test_a_refund_gives_back_all_that_is_left_and_no_more(app: Flask, op: Desk) -> None:
    payment = paid().id
    assert post(op, f"/payments/{payment}/refund", amount=250).json["state"] == "refunding"
    assert post(op, f"/payments/{payment}/refund").status_code == 200
    assert post(op, f"/payments/{payment}/refund", amount=1).status_code == 422
    release()
    asked = session.query(PaymentCommand).filter_by(payment_id=payment, kind="refund")
    assert sorted(one.amount or 0 for one in asked) == [250, 1000]


def test_a_step_that_was_refused_time_and_again_is_found_and_tried_once_more(app: Flask, op: Desk) -> None:
    nothing_stuck()
    payment = paid()
    capture_stuck(payment)
    number = payment.id
    asked = session.query(PaymentCommand).filter_by(payment_id=number, kind="capture")
    (finding,) = check_money.refused_steps()
    assert (finding.state, number in finding.says) == (State.WARNING, True)
    release()
    assert post(op, f"/payments/{number}/retry").json["state"] == "capturing"
    assert op.acts()[0][1:3] == ("payment retry", number)
    release()
    assert sorted(one.state for one in asked) == ["failed", "open"]
    (finding,) = check_money.refused_steps()
    assert finding.state is State.OK


def test_the_doctor_says_in_which_currency_payments_are_settled_elsewhere(app: Flask) -> None:
    session.rollback()
    differences.keep([], whole=True)
    (fine,) = check_money.currencies()
    assert fine.state is State.OK
    differences.keep([differences.settled_elsewhere(new_id("pay"), "GBP", Money(120, "EUR"))], whole=False)
    (found,) = check_money.currencies()
    assert found.state is State.WARNING
    assert "1 payments were settled in another: GBP in EUR" in found.says
    session.rollback()
    differences.keep([], whole=True)


def test_a_refund_that_is_stuck_is_paid_by_hand_once_with_a_reason(app: Flask, op: Desk) -> None:
    nothing_stuck()
    payment = paid()
    refund_stuck(payment, 250)
    number, reference = payment.id, f"SEPA {payment.id}"
    path = f"/payments/{number}/refunded-by-bank"
    release()
    wrong = post(op, path, amount={"amount": 1, "currency": "EUR"}, reference=reference)
    assert (wrong.status_code, "2.50 EUR" in wrong.json["detail"]) == (409, True)
    assert post(op, path, amount={"amount": 250, "currency": "GBP"}, reference=reference).status_code == 409
    answers = [
        post(op, path, amount={"amount": 250, "currency": "EUR"}, reference=reference) for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 200]
    assert [act[1:3] for act in op.acts()].count(("payment refund by bank", number)) == 1
    (finding,) = check_money.refused_steps()
    assert finding.state is State.OK
    assert (
        post(
            op,
            "/payments/pay_" + "0" * 32 + "/refunded-by-bank",
            amount={"amount": 1, "currency": "EUR"},
            reference="x",
        ).status_code
        == 404
    )


def test_what_is_disputed_is_not_given_back_too(app: Flask, op: Desk) -> None:
    payment = paid()
    disputed(payment)
    answer = post(op, f"/payments/{payment.id}/refund")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/step-not-allowed")


def test_arrears_are_written_off_and_the_bar_lifted_each_with_a_reason(app: Flask, op: Desk) -> None:
    payment = in_arrears()
    assert post(op, f"/payments/{payment.id}/write-off").json["state"] == "written_off"
    assert payment.id in [one["id"] for one in op.get("/payments?state=written_off")["items"]]
    assert means.arrears(payment.person_id) is not None
    assert post(op, f"/payments/{payment.id}/lift-bar").status_code == 200
    assert means.arrears(payment.person_id) is None
    assert [act[1:] for act in op.acts()[:2]] == [
        ("payment lift-bar", payment.id, WHY["reason"]),
        ("payment write-off", payment.id, WHY["reason"]),
    ]


def test_what_is_paid_is_not_written_off_and_nobody_else_may(app: Flask, op: Desk, stranger: Desk) -> None:
    payment = paid()
    for act in ("write-off", "lift-bar"):
        answer = post(op, f"/payments/{payment.id}/{act}")
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/step-not-allowed")
        assert op.call("POST", f"/payments/{payment.id}/{act}", {}).status_code == 422
        assert post(stranger, f"/payments/{payment.id}/{act}").status_code == 403


def test_the_command_line_writes_off_too(app: Flask) -> None:
    payment = in_arrears()
    run = app.test_cli_runner().invoke
    for act in ("write-off", "lift-bar"):
        answer = run(args=["operator", "payment", act, payment.id, "--reason", "no such address"])
        assert (answer.exit_code, json.loads(answer.output)["state"]) == (0, "written_off")
