"""What every payment provider must do: StripeGateway against the double, and against Stripe with
STRIPE_TEST_KEY.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import stripe

from payments.double.running import RunningDouble
from payments.gateway import (
    ActionRequired,
    CardDeclined,
    Intent,
    IntentGone,
    IntentState,
    KeySpent,
    Payments,
    PaymentsBusy,
    PaymentsRefused,
    PaymentsUnavailable,
    RefundState,
    SetupState,
)
from payments.money import Money
from payments.stripe_codes import API_VERSION
from payments.stripe_gateway import StripeGateway

KEY = os.environ.get("STRIPE_TEST_KEY", "")
TOKENS = {"4242424242424242": "pm_card_visa", "4000000000000341": "pm_card_chargeCustomerFail"}
VISA, ALWAYS_3DS, SAVED_3DS = "4242424242424242", "4000002760003184", "4000002500003155"
POOR, TURNCOAT = "4000000000009995", "4000000000000341"
EUR_90 = Money(9000, "EUR")
only_double = pytest.mark.skipif(bool(KEY), reason="the real bank cannot be told what to do")


def key(kind: str) -> str:
    return f"{kind}:{uuid4()}"


class Desk:
    """A gateway, and the hand that types card numbers into the app."""

    def __init__(self, gateway: StripeGateway, double: RunningDouble | None) -> None:
        self.payments: Payments = gateway
        self._double = double

    @property
    def double(self) -> RunningDouble:
        assert self._double is not None
        return self._double

    def customer(self) -> str:
        return self.payments.create_customer(person="per_1", key=key("customer"))

    def card(self, customer: str, number: str = VISA) -> str:
        setup = self.payments.setup_card(customer, key=key("setup"))
        if self._double is None:
            client = stripe.StripeClient(KEY, stripe_version=API_VERSION)
            client.v1.setup_intents.confirm(setup.id, {"payment_method": TOKENS[number]})
        else:
            self._double.post("setup_intents/confirm", client_secret=setup.client_secret, card=number)
        saved = self.payments.setup(setup.id)
        assert saved.state is SetupState.SAVED
        assert saved.card is not None
        return saved.card

    def hold(self, number: str = VISA, amount: Money = EUR_90, **more: Any) -> Intent:
        customer = self.customer()
        return self.hold_on(customer, self.card(customer, number), amount, **more)

    def hold_on(self, customer: str, card: str, amount: Money = EUR_90, **more: Any) -> Intent:
        wanted = {"key": key("hold"), "rental": "ren_1", "off_session": True, **more}
        return self.payments.hold(amount, customer=customer, card=card, **wanted)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningDouble | None]:
    if KEY:
        yield None
        return
    with RunningDouble() as double:
        yield double


@pytest.fixture
def desk(server: RunningDouble | None) -> Iterator[Desk]:
    gateway = (
        StripeGateway("sk_test_double", base_url=server.url, timeout_s=3) if server else StripeGateway(KEY)
    )
    yield Desk(gateway, server)
    gateway.close()


def test_a_saved_card_is_known_by_its_brand_and_last_four(desk: Desk) -> None:
    customer = desk.customer()
    card = desk.payments.card(desk.card(customer))
    assert (card.brand, card.last4, card.customer) == ("visa", "4242", customer)
    assert [found.id for found in desk.payments.cards_of(customer)] == [card.id]


def test_a_hold_reserves_and_takes_nothing_until_it_is_captured(desk: Desk) -> None:
    held = desk.hold()
    assert (held.state, held.capturable, held.captured) == (IntentState.HELD, EUR_90, Money(0, "EUR"))
    assert held.capture_before is not None
    assert held.capture_before > datetime.now(UTC) + timedelta(days=4)  # noqa: TID251 - the bank's clock is real
    assert held.rental == "ren_1"


def test_capturing_part_of_a_hold_frees_the_rest(desk: Desk) -> None:
    held = desk.hold()
    taken = desk.payments.capture(held.id, Money(4000, "EUR"), key=key("capture"))
    assert (taken.state, taken.captured, taken.capturable) == (
        IntentState.CAPTURED,
        Money(4000, "EUR"),
        Money(0, "EUR"),
    )
    assert taken.refunded == Money(0, "EUR")
    assert taken.charge is not None
    assert desk.payments.intent(held.id) == taken


def test_the_fee_is_known_after_a_capture_and_not_before(desk: Desk) -> None:
    held = desk.hold()
    assert held.charge is not None
    assert desk.payments.fee_of(held.charge) is None
    if not KEY:  # Stripe may need a while
        desk.payments.capture(held.id, EUR_90, key=key("capture"))
        assert desk.payments.fee_of(held.charge) == Money(160, "EUR")


def test_a_released_hold_stays_released_however_often_it_is_asked(desk: Desk) -> None:
    held = desk.hold()
    first = desk.payments.release(held.id, key=key("release"))
    assert (first.state, first.capturable) == (IntentState.RELEASED, Money(0, "EUR"))
    assert desk.payments.release(held.id, key=key("release")).state is IntentState.RELEASED


def test_capturing_twice_answers_what_was_captured_first(desk: Desk) -> None:
    held = desk.hold()
    desk.payments.capture(held.id, Money(4000, "EUR"), key=key("capture"))
    assert desk.payments.capture(held.id, EUR_90, key=key("capture")).captured == Money(4000, "EUR")


def test_a_released_hold_cannot_be_captured_nor_a_captured_one_released(desk: Desk) -> None:
    released, captured = desk.hold(), desk.hold()
    desk.payments.release(released.id, key=key("release"))
    desk.payments.capture(captured.id, EUR_90, key=key("capture"))
    with pytest.raises(IntentGone) as gone:
        desk.payments.capture(released.id, EUR_90, key=key("capture"))
    assert gone.value.state is IntentState.RELEASED
    with pytest.raises(IntentGone) as gone:
        desk.payments.release(captured.id, key=key("release"))
    assert gone.value.state is IntentState.CAPTURED


def test_more_than_was_held_cannot_be_captured(desk: Desk) -> None:
    held = desk.hold()
    with pytest.raises(PaymentsRefused) as refused:
        desk.payments.capture(held.id, Money(9001, "EUR"), key=key("capture"))
    assert refused.value.code == "amount_too_large"
    assert desk.payments.intent(held.id).state is IntentState.HELD


def test_refunds_add_up_to_what_was_captured_and_never_to_more(desk: Desk) -> None:
    held = desk.hold()
    desk.payments.capture(held.id, Money(4000, "EUR"), key=key("capture"))
    command = key("refund")
    refund = desk.payments.refund(held.id, Money(1500, "EUR"), key=command)
    assert (refund.state, refund.amount, refund.intent) == (
        RefundState.SUCCEEDED,
        Money(1500, "EUR"),
        held.id,
    )
    with pytest.raises(PaymentsRefused):
        desk.payments.refund(held.id, Money(2501, "EUR"), key=key("refund"))
    desk.payments.refund(held.id, Money(2500, "EUR"), key=key("refund"))
    with pytest.raises(PaymentsRefused):
        desk.payments.refund(held.id, Money(1, "EUR"), key=key("refund"))
    assert desk.payments.intent(held.id).refunded == Money(4000, "EUR")
    assert command in [found.command for found in desk.payments.refunds_of(held.id)]


def test_an_immediate_charge_is_captured_at_once(desk: Desk) -> None:
    customer = desk.customer()
    card = desk.card(customer)
    paid = desk.payments.charge(
        Money(700, "CHF"), customer=customer, card=card, key=key("extras"), rental="ren_2"
    )
    assert (paid.state, paid.captured) == (IntentState.CAPTURED, Money(700, "CHF"))


def test_a_card_that_is_declined_says_why_and_names_the_intent(desk: Desk) -> None:
    with pytest.raises(CardDeclined) as declined:
        desk.hold(TURNCOAT)
    assert not declined.value.hard
    assert declined.value.intent is not None
    left = desk.payments.intent(declined.value.intent)
    assert left.state is IntentState.CARD_NEEDED
    assert left.failure is not None
    assert left.failure.code == declined.value.code


def test_the_same_key_is_one_hold_and_other_wishes_under_it_are_refused(desk: Desk) -> None:
    customer = desk.customer()
    card, command = desk.card(customer), key("hold")
    first = desk.hold_on(customer, card, key=command)
    assert desk.hold_on(customer, card, key=command).id == first.id
    with pytest.raises(PaymentsRefused):
        desk.hold_on(customer, card, Money(1, "EUR"), key=command)


def test_the_intent_of_a_command_can_be_found_without_its_key(desk: Desk) -> None:
    customer = desk.customer()
    card, command = desk.card(customer), key("hold")
    desk.hold_on(customer, card)
    held = desk.hold_on(customer, card, key=command)
    assert desk.payments.find_by_command(command, customer=customer) == held
    assert desk.payments.find_by_command(key("hold"), customer=customer) is None


def test_an_intent_is_shown_with_the_rental_it_stands_for_by_now(desk: Desk) -> None:
    held = desk.hold()
    for _ in range(2):
        desk.payments.stand_for(held.id, "ren_2")
    found = desk.payments.intent(held.id)
    assert (found.rental, found.command, found.state) == ("ren_2", held.command, IntentState.HELD)
    desk.payments.capture(held.id, EUR_90, key=key("capture"))
    desk.payments.stand_for(held.id, "ren_3")
    with pytest.raises(PaymentsRefused):
        desk.payments.stand_for("pi_unknown", "ren_2")


def test_an_unknown_intent_is_gone(desk: Desk) -> None:
    with pytest.raises(IntentGone) as gone:
        desk.payments.intent("pi_unknown")
    assert gone.value.state is None
    with pytest.raises(IntentGone):
        desk.payments.capture("pi_unknown", EUR_90, key=key("capture"))


def test_a_detached_card_can_be_detached_again_but_not_charged(desk: Desk) -> None:
    customer = desk.customer()
    card = desk.card(customer)
    desk.payments.detach_card(card, key=key("detach"))
    desk.payments.detach_card(card, key=key("detach"))
    assert desk.payments.card(card).customer is None
    with pytest.raises(PaymentsRefused):
        desk.hold_on(customer, card)


def test_a_hold_leaves_an_event_that_names_its_intent(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(minutes=2)  # noqa: TID251 - the provider's clock is real
    held = desk.hold()
    events = desk.payments.events_since(since)
    assert held.id in [e.object_id for e in events if e.kind == "payment_intent.amount_capturable_updated"]
    assert [e.created for e in events] == sorted(e.created for e in events)
    assert held.id in [found.id for found in desk.payments.intents_since(since)]


@only_double
def test_a_card_that_always_asks_its_holder_waits_for_the_app(desk: Desk) -> None:
    for three_ds, state in [("ok", IntentState.HELD), ("fail", IntentState.CARD_NEEDED)]:
        with pytest.raises(ActionRequired) as action:
            desk.hold(ALWAYS_3DS)
        desk.double.post(
            "payment_intents/confirm", client_secret=action.value.client_secret, three_ds=three_ds
        )
        assert desk.payments.intent(action.value.intent).state is state


@only_double
def test_a_holder_who_is_present_confirms_on_the_spot(desk: Desk) -> None:
    with pytest.raises(ActionRequired) as action:
        desk.hold(SAVED_3DS, off_session=False)
    assert desk.payments.intent(action.value.intent).state is IntentState.ACTION_REQUIRED
    desk.double.post("payment_intents/confirm", client_secret=action.value.client_secret, three_ds="abandon")
    assert desk.payments.intent(action.value.intent).state is IntentState.ACTION_REQUIRED
    desk.double.post("payment_intents/confirm", client_secret=action.value.client_secret, three_ds="ok")
    assert desk.payments.intent(action.value.intent).state is IntentState.HELD


@only_double
def test_a_card_confirmed_when_saved_is_held_without_its_holder(desk: Desk) -> None:
    assert desk.hold(SAVED_3DS).state is IntentState.HELD


@only_double
@pytest.mark.parametrize("three_ds", ["fail", "abandon"])
def test_a_card_whose_holder_does_not_confirm_is_not_saved(desk: Desk, three_ds: str) -> None:
    setup = desk.payments.setup_card(desk.customer(), key=key("setup"))
    desk.double.post(
        "setup_intents/confirm", client_secret=setup.client_secret, card=SAVED_3DS, three_ds=three_ds
    )
    left = desk.payments.setup(setup.id)
    assert left.card is None
    assert left.state is (SetupState.CARD_NEEDED if three_ds == "fail" else SetupState.ACTION_REQUIRED)


@only_double
@pytest.mark.parametrize(
    ("number", "code", "hard"),
    [("4000000000009987", "lost_card", True), ("4000000000000119", "processing_error", False)],
)
def test_a_decline_is_hard_only_when_the_card_is_finished(
    desk: Desk, number: str, code: str, *, hard: bool
) -> None:
    setup = desk.payments.setup_card(desk.customer(), key=key("setup"))
    desk.double.post("setup_intents/confirm", client_secret=setup.client_secret, card=number)
    failure = desk.payments.setup(setup.id).failure
    assert failure is not None
    assert (failure.code, failure.hard) == (code, hard)


@only_double
def test_too_little_money_is_a_soft_decline_that_another_card_heals(desk: Desk) -> None:
    with pytest.raises(CardDeclined) as declined:
        desk.hold(POOR)
    assert (declined.value.code, declined.value.hard) == ("insufficient_funds", False)
    assert declined.value.intent is not None
    left = desk.payments.intent(declined.value.intent)
    desk.double.post("payment_intents/confirm", client_secret=left.client_secret, card=VISA)
    assert desk.payments.intent(left.id).state is IntentState.HELD


@only_double
def test_a_lost_answer_is_repeated_under_the_same_key_and_there_is_one_hold(desk: Desk) -> None:
    customer = desk.customer()
    card, command = desk.card(customer), key("hold")
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents", times=3)
    with pytest.raises(PaymentsUnavailable) as lost:
        desk.hold_on(customer, card, key=command)
    assert (lost.value.may_have_acted, lost.value.temporary) == (True, True)
    held = desk.hold_on(customer, card, key=command)
    assert desk.payments.find_by_command(command, customer=customer) == held
    made = [i for i in desk.double.get("objects")["objects"]["payment_intent"] if i["customer"] == customer]
    assert [i["id"] for i in made] == [held.id]
    calls = [c for c in desk.double.get("log")["calls"] if c["idempotency_key"] == command]
    assert [c["replayed"] for c in calls] == [False, True, True, True]


@only_double
def test_a_repeated_key_is_answered_with_the_intent_as_it_stands_now(desk: Desk) -> None:
    customer = desk.customer()
    command = {kind: key(kind) for kind in ("asked", "poor", "held", "capture")}
    always, poor, visa = (desk.card(customer, number) for number in (ALWAYS_3DS, POOR, VISA))
    with pytest.raises(ActionRequired) as action:
        desk.hold_on(customer, always, key=command["asked"])
    with pytest.raises(ActionRequired):
        desk.hold_on(customer, always, key=command["asked"])
    desk.double.post("payment_intents/confirm", client_secret=action.value.client_secret, three_ds="ok")
    assert desk.hold_on(customer, always, key=command["asked"]).state is IntentState.HELD
    for _ in range(2):
        with pytest.raises(CardDeclined, match="insufficient_funds"):
            desk.hold_on(customer, poor, key=command["poor"])
    held = desk.hold_on(customer, visa, key=command["held"])
    desk.payments.capture(held.id, EUR_90, key=command["capture"])
    assert desk.hold_on(customer, visa, key=command["held"]).state is IntentState.CAPTURED
    desk.payments.refund(held.id, Money(100, "EUR"), key=key("refund"))
    again = desk.payments.capture(held.id, EUR_90, key=command["capture"])
    assert again.refunded == Money(100, "EUR")


@only_double
def test_an_answer_lost_once_is_not_even_noticed(desk: Desk) -> None:
    customer = desk.customer()
    card = desk.card(customer)
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert desk.hold_on(customer, card).state is IntentState.HELD


@only_double
def test_repeats_at_the_same_moment_make_one_hold(desk: Desk) -> None:
    customer = desk.customer()
    card, command = desk.card(customer), key("hold")

    def ask(_turn: int) -> str:
        return desk.hold_on(customer, card, key=command).id

    with ThreadPoolExecutor(12) as pool:
        held = set(pool.map(ask, range(24)))
    made = [i for i in desk.double.get("objects")["objects"]["payment_intent"] if i["customer"] == customer]
    assert [i["id"] for i in made] == list(held)


@only_double
def test_a_key_that_was_forgotten_would_make_a_second_hold_so_the_first_is_looked_up(desk: Desk) -> None:
    customer = desk.customer()
    card, command = desk.card(customer), key("hold")
    held = desk.hold_on(customer, card, key=command)
    desk.double.post("keys/forget")
    assert desk.payments.find_by_command(command, customer=customer) == held
    assert desk.hold_on(customer, card, key=command).id != held.id


@only_double
def test_too_many_calls_surely_did_nothing(desk: Desk) -> None:
    desk.double.post("fault", next="429", path="/v1/customers")
    with pytest.raises(PaymentsBusy) as busy:
        desk.customer()
    assert (busy.value.may_have_acted, busy.value.temporary) == (False, True)


@only_double
@pytest.mark.parametrize("fault", ["500", "409"])
def test_a_fault_at_the_provider_is_temporary_after_three_tries(desk: Desk, fault: str) -> None:
    desk.double.post("fault", next=fault, path="/v1/customers", times=3)
    with pytest.raises(PaymentsUnavailable) as lost:
        desk.customer()
    assert lost.value.temporary
    desk.customer()


@only_double
def test_a_slow_answer_is_given_up_and_found_again(desk: Desk) -> None:
    hasty = StripeGateway("sk_test_double", base_url=desk.double.url, timeout_s=0.3, retries=0)
    command = key("customer")
    desk.double.post("fault", next="delay", path="/v1/customers", seconds=0.8)
    with pytest.raises(PaymentsUnavailable):
        hasty.create_customer(person="per_1", key=command)
    with pytest.raises(PaymentsUnavailable):  # the first is still at work
        hasty.create_customer(person="per_1", key=command)
    hasty.close()
    assert desk.payments.create_customer(person="per_1", key=command).startswith("cus_")


@only_double
def test_a_wrong_key_of_ours_says_nothing_of_a_payment_and_waits_for_a_good_one(desk: Desk) -> None:
    stranger = StripeGateway("pk_test_wrong", base_url=desk.double.url)
    with pytest.raises(PaymentsBusy) as refused:
        stranger.create_customer(person="per_1", key=key("customer"))
    assert refused.value.temporary
    assert not refused.value.may_have_acted
    stranger.close()


@only_double
def test_nobody_at_the_other_end_is_temporary() -> None:
    gateway = StripeGateway("sk_test_double", base_url="http://127.0.0.1:9", retries=0)
    with pytest.raises(PaymentsUnavailable):
        gateway.setup("seti_1")
    gateway.close()


@only_double
def test_a_hold_runs_out_at_the_banks_own_time_which_is_shorter_without_the_holder() -> None:
    with RunningDouble() as double:  # its own, since its clock moves
        gateway = StripeGateway("sk_test_double", base_url=double.url)
        desk = Desk(gateway, double)
        absent, present = desk.hold(), desk.hold(off_session=False)
        double.post("clock/forward", seconds=4 * 86_400 + 18 * 3_600 + 5)
        gone = gateway.intent(absent.id)
        assert (gone.state, gone.release_reason) == (IntentState.RELEASED, "expired")
        assert gateway.intent(present.id).state is IntentState.HELD
        with pytest.raises(IntentGone):
            gateway.capture(absent.id, EUR_90, key=key("capture"))
        double.post("clock/forward", seconds=3 * 86_400)
        assert gateway.intent(present.id).state is IntentState.RELEASED
        gateway.close()


@only_double
def test_a_fault_that_lies_under_a_key_is_told_from_one_that_may_pass(desk: Desk) -> None:
    once = StripeGateway("sk_test_double", base_url=desk.double.url, retries=0)
    command = key("customer")
    desk.double.post("fault", next="500", path="/v1/customers")
    with pytest.raises(PaymentsUnavailable) as first:
        once.create_customer(person="per_1", key=command)
    assert not isinstance(first.value, KeySpent)
    with pytest.raises(KeySpent):
        once.create_customer(person="per_1", key=command)
    once.close()
