"""Disputes and warnings: StripeDisputes against the double, and against Stripe with STRIPE_TEST_KEY."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import stripe

from app.kit.paper import Paper
from payments.disputes import DisputeState
from payments.double.running import RunningDouble
from payments.gateway import NotThere, PaymentsRefused
from payments.money import Money
from payments.stripe_codes import API_VERSION
from payments.stripe_disputes import StripeDisputes
from payments.stripe_gateway import StripeGateway

KEY = os.environ.get("STRIPE_TEST_KEY", "")
EUR_90 = Money(9000, "EUR")
only_double = pytest.mark.skipif(bool(KEY), reason="the real bank cannot be told what to do")


def key(kind: str) -> str:
    return f"{kind}:{uuid4()}"


class Desk:
    """The door, and the bank behind a card whose every charge is disputed."""

    def __init__(self, double: RunningDouble | None) -> None:
        base = double.url if double else None
        self.payments = StripeGateway(KEY or "sk_test_double", base_url=base)
        self.disputes = StripeDisputes(KEY or "sk_test_double", base_url=base)
        self._double = double

    @property
    def double(self) -> RunningDouble:
        assert self._double is not None
        return self._double

    def charge(self) -> str:
        customer = self.payments.create_customer(person="per_1", key=key("customer"))
        setup = self.payments.setup_card(customer, key=key("setup"))
        if self._double is None:
            client = stripe.StripeClient(KEY, stripe_version=API_VERSION)
            client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_createDispute"})
        else:
            self._double.post(
                "setup_intents/confirm", client_secret=setup.client_secret, card="4242424242424242"
            )
        card = str(self.payments.setup(setup.id).card)
        paid = self.payments.charge(EUR_90, customer=customer, card=card, key=key("charge"), rental="ren_1")
        return str(paid.charge)

    def disputed(self) -> str:
        since, charge = datetime.now(UTC) - timedelta(minutes=1), self.charge()  # noqa: TID251
        if self._double is not None:
            return str(self._double.post("disputes/open", charge=charge)["id"])
        for _ in range(60):
            for event in self.payments.events_since(since):
                if (
                    event.kind == "charge.dispute.created"
                    and self.disputes.dispute(event.object_id).charge == charge
                ):
                    return event.object_id
            time.sleep(1)
        raise AssertionError("Stripe opened no dispute within a minute")

    def close(self) -> None:
        self.payments.close()
        self.disputes.close()


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    if KEY:
        made = Desk(None)
        yield made
        made.close()
        return
    with RunningDouble() as double:
        made = Desk(double)
        yield made
        made.close()


def test_a_dispute_takes_the_money_and_a_fee_and_says_until_when_it_may_be_answered(desk: Desk) -> None:
    seen = desk.disputes.dispute(desk.disputed())
    assert (seen.state, seen.amount, seen.refundable, seen.submissions) == (
        DisputeState.OPEN,
        EUR_90,
        False,
        0,
    )
    assert seen.answer_by is not None
    assert sum(one.amount.amount for one in seen.movements) == -9000
    assert all(one.fee.amount >= 0 for one in seen.movements)


def test_evidence_is_submitted_once_however_often_it_is_sent_under_one_key(desk: Desk) -> None:
    dispute, command = desk.disputed(), key("evidence")
    evidence = {"uncategorized_text": "winning_evidence", "product_description": "A car, lent for a day."}
    for _ in range(2):
        sent = desk.disputes.submit_evidence(dispute, evidence, key=command)
    assert sent.submissions == 1
    assert desk.disputes.dispute(dispute).state in (DisputeState.SENT, DisputeState.WON)


def test_a_file_is_kept_once_under_one_key_and_evidence_may_name_it(desk: Desk) -> None:
    paper, command = Paper("Photos", "en"), key("photos")
    paper.heading("Photos")
    sheet = paper.done()
    kept = {desk.disputes.keep_file("photos.pdf", sheet, key=command) for _ in range(2)}
    assert len(kept) == 1
    evidence = {"uncategorized_text": "winning_evidence", "uncategorized_file": kept.pop()}
    assert desk.disputes.submit_evidence(desk.disputed(), evidence, key=key("evidence")).submissions == 1


def test_evidence_of_a_file_that_is_not_there_is_refused_and_so_is_a_file_that_is_no_paper(
    desk: Desk,
) -> None:
    with pytest.raises(PaymentsRefused):
        desk.disputes.submit_evidence(
            desk.disputed(), {"uncategorized_file": "file_unknown"}, key=key("evidence")
        )
    with pytest.raises(PaymentsRefused):
        desk.disputes.keep_file("photos.pdf", b"no paper", key=key("photos"))


def test_an_unknown_dispute_or_warning_is_refused(desk: Desk) -> None:
    for ask in (desk.disputes.dispute, desk.disputes.warning):
        with pytest.raises(NotThere):
            ask("du_unknown")


@only_double
def test_evidence_beyond_the_limit_or_too_late_is_refused(desk: Desk) -> None:
    dispute = desk.disputed()
    with pytest.raises(PaymentsRefused):
        desk.disputes.submit_evidence(dispute, {"uncategorized_text": "x" * 20_001}, key=key("evidence"))
    desk.double.post("disputes/close", dispute=dispute, status="lost")
    with pytest.raises(PaymentsRefused):
        desk.disputes.submit_evidence(dispute, {"uncategorized_text": "x"}, key=key("evidence"))


@only_double
@pytest.mark.parametrize(("status", "state", "left"), [("won", "won", 0), ("lost", "lost", -9000)])
def test_the_outcome_gives_the_money_back_or_keeps_it(desk: Desk, status: str, state: str, left: int) -> None:
    dispute = desk.disputed()
    desk.double.post("disputes/close", dispute=dispute, status=status)
    seen = desk.disputes.dispute(dispute)
    assert (seen.state, sum(one.amount.amount for one in seen.movements)) == (DisputeState(state), left)


@only_double
def test_an_inquiry_moves_no_money_and_the_charge_may_be_refunded(desk: Desk) -> None:
    made = desk.double.post("disputes/open", charge=desk.charge(), inquiry=True)["id"]
    seen = desk.disputes.dispute(made)
    assert (seen.state, seen.movements, seen.refundable) == (DisputeState.INQUIRY, (), True)
    desk.double.post("disputes/close", dispute=made, status="warning_closed")
    assert desk.disputes.dispute(made).state is DisputeState.DROPPED


@only_double
def test_what_was_charged_back_cannot_be_refunded(desk: Desk) -> None:
    charge = desk.charge()
    desk.double.post("disputes/open", charge=charge)
    intent = next(
        one["payment_intent"]
        for one in desk.double.get("objects")["objects"]["charge"]
        if one["id"] == charge
    )
    with pytest.raises(PaymentsRefused):
        desk.payments.refund(intent, Money(1, "EUR"), key=key("refund"))


@only_double
def test_a_warning_names_its_charge(desk: Desk) -> None:
    charge = desk.charge()
    made = desk.double.post("warnings/open", charge=charge)["id"]
    seen = desk.disputes.warning(made)
    assert (seen.charge, seen.kind, seen.actionable) == (charge, "made_with_stolen_card", True)
