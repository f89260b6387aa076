"""The double answers in the shapes of Stripe's own fixtures."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from payments.double.running import RunningDouble
from payments.gateway import PaymentsError
from payments.money import Money
from payments.stripe_codes import API_VERSION
from payments.stripe_disputes import StripeDisputes
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts
from tests.contract.stripe_shapes import CLASSES, SHAPES, differences

VISA, POOR, LOST = "4242424242424242", "4000000000009995", "4000000000009987"
ALWAYS_3DS = "4000002760003184"
EUR_90 = Money(9000, "EUR")


LINK = {"type": "account_onboarding", "refresh_url": "https://a.test", "return_url": "https://a.test"}


def key() -> str:
    return f"key:{uuid4()}"


class Story:
    """What a year brings, in a minute: each kind of object, in the states that have keys of their own."""

    def __init__(self, double: RunningDouble) -> None:
        self.double = double
        self.payments = StripeGateway("sk_test_x", base_url=double.url)
        self.payouts = StripePayouts("sk_test_x", base_url=double.url)
        self.disputes = StripeDisputes("sk_test_x", base_url=double.url)
        self.customer = self.payments.create_customer(person="per_1", key=key())

    def close(self) -> None:
        for door in (self.payments, self.payouts, self.disputes):
            door.close()

    def card(self, number: str = VISA, three_ds: str = "ok") -> str | None:
        setup = self.payments.setup_card(self.customer, key=key())
        self.double.post(
            "setup_intents/confirm", client_secret=setup.client_secret, card=number, three_ds=three_ds
        )
        return self.payments.setup(setup.id).card

    def held(self, number: str = VISA, *, off_session: bool = True) -> str:
        card = self.card(number)
        assert card is not None
        more: Any = {"customer": self.customer, "card": card, "rental": "ren_1", "key": key()}
        return self.payments.hold(EUR_90, off_session=off_session, **more).id

    def captured(self) -> tuple[str, str]:
        """An intent and its charge."""
        intent = self.payments.capture(self.held(), EUR_90, key=key())
        return intent.id, str(intent.charge)

    def is_told(self) -> None:
        for number, three_ds in ((LOST, "ok"), (ALWAYS_3DS, "fail"), (ALWAYS_3DS, "abandon")):
            self.card(number, three_ds)
        for number, off_session in ((POOR, True), (ALWAYS_3DS, True), (ALWAYS_3DS, False)):
            with pytest.raises(PaymentsError):
                self.held(number, off_session=off_session)
        self.payments.release(self.held(), key=key())
        intent, charge = self.captured()
        refund = self.payments.refund(intent, Money(100, "EUR"), key=key())
        self.double.post("refunds/fail", refund=refund.id)
        self._owner_is_paid(charge)
        self._banks_dispute()

    def _owner_is_paid(self, charge: str) -> None:
        account = self.payouts.open_account(payee="per_2", country="FR", key=key())
        for state in ("incomplete", "restricted", "enabled"):
            self.double.post("accounts/settle", account=account, state=state)
        money = {"account": account, "charge": charge, "rental": "ren_1", "key": key()}
        transfer = self.payouts.transfer(Money(1000, "EUR"), **money)
        self.payouts.reverse(transfer.id, Money(1, "EUR"), key=key())
        paid = self.double.post("payouts/make", account=account)
        self.double.post("payouts/fail", payout=paid["id"])

    def _banks_dispute(self) -> None:
        for inquiry in (False, True):
            _, charge = self.captured()
            self.double.post("warnings/open", charge=charge)
            dispute = self.double.post("disputes/open", charge=charge, inquiry=inquiry)["id"]
            file = self.disputes.keep_file("records.pdf", b"%PDF-1.4", key=key())
            evidence = {"uncategorized_file": file, "uncategorized_text": "The records."}
            self.disputes.submit_evidence(dispute, evidence, key=key())
            self.double.post("disputes/close", dispute=dispute, status="warning_closed" if inquiry else "won")

    def answers(self) -> list[dict[str, Any]]:
        """All objects as they stand, and what is answered without being kept."""
        found = [one for kind in self.double.get("objects")["objects"].values() for one in kind]
        account = next(one["id"] for one in found if one["object"] == "account")
        kept_nowhere = (
            self._asked("GET", "balance"),
            self._asked("POST", "account_links", account=account, **LINK),
        )
        return [*found, *kept_nowhere]

    def _asked(self, method: str, path: str, **params: str) -> dict[str, Any]:
        headers = {"Authorization": "Bearer sk_test_x", "Stripe-Version": API_VERSION}
        answer = requests.request(
            method, f"{self.double.url}/v1/{path}", data=params, headers=headers, timeout=10
        )
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture(scope="module")
def answers() -> Iterator[list[dict[str, Any]]]:
    with RunningDouble() as double:
        story = Story(double)
        story.is_told()
        yield story.answers()
        story.close()


def test_each_kind_of_object_has_a_shape_and_is_answered(answers: list[dict[str, Any]]) -> None:
    assert {one["object"] for one in answers} == set(SHAPES) == set(CLASSES)


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_an_answer_has_the_shape_of_stripes_own_fixture(answers: list[dict[str, Any]], kind: str) -> None:
    found = {line for one in answers if one["object"] == kind for line in differences(one)}
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"sha256": "ab"}, "file.sha256 is no key of theirs"),
        ({"size": "9"}, 'file.size is never "9"'),
        ({"size": None}, "file.size is never null"),
        ({"title": 1}, "file.title is never 1"),
    ],
)
def test_a_difference_is_seen(wrong: dict[str, Any], line: str) -> None:
    file = {"id": "file_1", "object": "file", "created": 1, "purpose": "dispute_evidence", "size": 9}
    assert list(differences(file)) == []
    assert list(differences({**file, **wrong})) == [line]


def test_a_key_that_they_always_give_is_missed() -> None:
    assert "file.size is never left out" in list(differences({"id": "file_1", "object": "file"}))
