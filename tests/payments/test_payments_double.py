import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import stripe
from werkzeug import Request, Response
from werkzeug.serving import make_server

from payments.double.running import RunningDouble
from payments.gateway import Event, SignatureInvalid
from payments.money import Money
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts
from payments.stripe_webhook import StripeWebhook

SECRET = "whsec_test"


@pytest.fixture(scope="module")
def double() -> Iterator[RunningDouble]:
    with RunningDouble() as running:
        yield running


@pytest.fixture
def sdk(double: RunningDouble) -> Iterator[Any]:
    http = stripe.RequestsClient(timeout=5)
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": double.url}, http_client=http)
    yield client.v1
    http.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def gateway(double: RunningDouble) -> Iterator[StripeGateway]:
    made = StripeGateway(
        "sk_test_x", base_url=double.url, webhooks={"platform": StripeWebhook([SECRET])}, timeout_s=5
    )
    yield made
    made.close()


class Mailbox:
    """An endpoint that believes only what is signed, and remembers it."""

    def __init__(self, gateway: StripeGateway) -> None:
        self.events: list[Event] = []
        self.refused = 0
        self._gateway = gateway
        self._server = make_server("127.0.0.1", 0, self._take, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _take(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        try:
            event = self._gateway.signed_event(request.get_data(), request.headers.get("Stripe-Signature"))
        except SignatureInvalid:
            self.refused += 1
            return Response(status=400)(environ, start)
        self.events.append(event)
        return Response(status=204)(environ, start)

    def kinds(self) -> list[str]:
        return [event.kind.partition(".")[2] for event in self.events]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture
def mailbox(double: RunningDouble, gateway: StripeGateway) -> Iterator[Mailbox]:
    box = Mailbox(gateway)
    double.post("webhooks", url=box.url, secret=SECRET)
    yield box
    double.post("webhooks", url=None)
    box.close()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 8
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def hold(double: RunningDouble, gateway: StripeGateway) -> str:
    customer = gateway.create_customer(person="per_1", key=f"customer:{time.time_ns()}")
    setup = gateway.setup_card(customer, key=f"setup:{time.time_ns()}")
    body = double.post("setup_intents/confirm", client_secret=setup.client_secret, card="4242424242424242")
    wanted = {"customer": customer, "card": body["payment_method"], "key": f"hold:{time.time_ns()}"}
    return gateway.hold(Money(500, "EUR"), rental="ren_1", off_session=True, **wanted).id


def pay_out(double: RunningDouble, charge: str) -> str:
    payouts = StripePayouts("sk_test_x", base_url=double.url)
    account = payouts.open_account(payee="per_2", country="FR", key=f"account:{time.time_ns()}")
    double.post("accounts/settle", account=account, state="enabled")
    to = {"account": account, "charge": charge, "rental": "ren_1", "key": f"transfer:{time.time_ns()}"}
    paid = payouts.transfer(Money(100, "EUR"), **to)
    payouts.reverse(paid.id, Money(1, "EUR"), key=f"reverse:{time.time_ns()}")
    payouts.close()
    return account


HOLD = {"amount": 500, "currency": "eur"}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"capture_methd": "manual"}, "capture_methd"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"capture_method": "manuel"}, "capture_method"),
        ({"transfer_data": {"dest": "acct_1"}}, "transfer_data[dest]"),
        ({"transfer_data": {"amount": 5}}, "transfer_data[destination]"),
        ({"amount": "12.5"}, "amount"),
        ({"confirm": "yes"}, "confirm"),
        ({"currency": "usd"}, "currency"),
        ({"amount": 0}, "amount"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(sdk: Any, wrong: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.payment_intents.create({**HOLD, **wrong})
    assert refused.value.param == param


@pytest.mark.parametrize(("currency", "least"), [("eur", 50), ("gbp", 30), ("chf", 50)])
def test_less_than_a_card_can_be_asked_for_is_refused(sdk: Any, currency: str, least: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Amount must be at least") as refused:
        sdk.payment_intents.create({"amount": least - 1, "currency": currency})
    assert (refused.value.code, refused.value.param) == ("amount_too_small", "amount")
    assert sdk.payment_intents.create({"amount": least, "currency": currency}).amount == least


def test_no_less_is_captured_of_a_hold_either(
    double: RunningDouble, gateway: StripeGateway, sdk: Any
) -> None:
    intent = hold(double, gateway)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.payment_intents.capture(intent, {"amount_to_capture": 49})
    assert (refused.value.code, refused.value.param) == ("amount_too_small", "amount_to_capture")
    assert gateway.capture(intent, Money(50, "EUR"), key=f"capture:{time.time_ns()}").captured.amount == 50


def test_a_missing_parameter_is_refused(sdk: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="amount"):
        sdk.payment_intents.create({"currency": "eur"})


def test_the_same_key_replays_and_says_so_and_refuses_other_parameters(sdk: Any) -> None:
    options = {"idempotency_key": f"k{time.time_ns()}"}
    first = sdk.payment_intents.create(HOLD, options)
    again = sdk.payment_intents.create(HOLD, options)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        sdk.payment_intents.create({**HOLD, "amount": 501}, options)


def test_lists_are_paged_newest_first_and_lose_nothing(sdk: Any) -> None:
    customer = sdk.customers.create({}).id
    made = [sdk.payment_intents.create({**HOLD, "customer": customer}).id for _ in range(5)]
    found = sdk.payment_intents.list({"customer": customer, "limit": 2})
    assert [intent.id for intent in found.auto_paging_iter()] == made[::-1]


def test_a_call_of_another_api_version_is_refused(double: RunningDouble) -> None:
    http = stripe.RequestsClient()
    client = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": double.url}, http_client=http, stripe_version="2020-08-27"
    )
    with pytest.raises(stripe.InvalidRequestError, match="speaks"):
        client.v1.customers.create({})
    http.close()  # type: ignore[no-untyped-call]


def test_the_state_shows_the_intents_of_each_rental(double: RunningDouble, gateway: StripeGateway) -> None:
    intent = hold(double, gateway)
    assert intent in double.get("objects")["rentals"]["ren_1"]


def test_its_clock_moves_forward_only(double: RunningDouble) -> None:
    with pytest.raises(requests.HTTPError):
        double.post("clock/forward", seconds=-1)


@pytest.mark.parametrize("verb", [("fault", {"next": "x"}), ("webhooks", {"deliver": "x"}), ("nothing", {})])
def test_an_unknown_wish_is_refused(double: RunningDouble, verb: tuple[str, dict[str, str]]) -> None:
    with pytest.raises(requests.HTTPError):
        double.post(verb[0], **verb[1])


def test_it_stops_when_told_to() -> None:
    with RunningDouble() as running:
        assert running.stop() == 0


def test_a_webhook_arrives_signed(double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox) -> None:
    intent = hold(double, gateway)
    eventually(lambda: len(mailbox.events) == 2)
    assert mailbox.events[-1].object_id == intent
    assert mailbox.kinds() == ["succeeded", "amount_capturable_updated"]


def test_a_webhook_can_come_twice(double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox) -> None:
    double.post("webhooks", deliver="twice")
    hold(double, gateway)
    eventually(lambda: len(mailbox.events) == 3)
    assert mailbox.events[0].id == mailbox.events[1].id


@pytest.mark.parametrize(("how", "seconds"), [("late", 1.5), ("out_of_order", 30)])
def test_a_webhook_can_come_after_its_follower(
    double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox, how: str, seconds: float
) -> None:
    """Out of order, it waits for its follower, and no longer; late, for so many seconds in which that is made."""
    double.post("webhooks", deliver=how, seconds=seconds)
    hold(double, gateway)
    eventually(lambda: len(mailbox.events) == 2)
    assert mailbox.kinds() == ["amount_capturable_updated", "succeeded"]


def test_a_forged_webhook_is_refused_and_the_true_one_follows(
    double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox
) -> None:
    double.post("webhooks", deliver="bad_signature")
    hold(double, gateway)
    eventually(lambda: len(mailbox.events) == 2)
    assert mailbox.refused == 1


def test_what_happens_on_an_owners_account_goes_to_the_connect_endpoint(
    double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox
) -> None:
    double.post("webhooks", url=None, connect_url=mailbox.url, connect_secret=SECRET)
    intent = gateway.capture(hold(double, gateway), Money(500, "EUR"), key=f"capture:{time.time_ns()}")
    account = pay_out(double, str(intent.charge))
    eventually(lambda: len(mailbox.events) == 2)
    assert {(event.kind, event.object_id) for event in mailbox.events} == {("account.updated", account)}
    double.post("webhooks", connect_url=None)


def test_what_was_not_delivered_can_be_asked_for(
    double: RunningDouble, gateway: StripeGateway, mailbox: Mailbox
) -> None:
    since = datetime.fromtimestamp(double.get("clock")["now"], UTC) - timedelta(seconds=1)
    double.post("webhooks", deliver="pause")
    intent = hold(double, gateway)
    waiting = gateway.events_since(since, undelivered_only=True)
    assert intent in [event.object_id for event in waiting]
    assert mailbox.events == []
    double.post("webhooks", deliver="resume")
    eventually(lambda: len(mailbox.events) >= 2)
    eventually(
        lambda: intent not in [e.object_id for e in gateway.events_since(since, undelivered_only=True)]
    )
