import json
import time
from datetime import UTC, datetime

import pytest
import stripe

from payments.gateway import Event, SignatureInvalid, WebhookClosed
from payments.stripe_gateway import StripeGateway
from payments.stripe_webhook import StripeWebhook

SECRET = "whsec_new"
BODY = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_780_000_000,
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    }
)


def signed(body: str = BODY, secret: str = SECRET, age_s: int = 0) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age_s))


def test_a_signed_event_names_its_object() -> None:
    event = StripeWebhook([SECRET]).signed_event(BODY.encode(), signed())
    created = datetime.fromtimestamp(1_780_000_000, UTC)
    assert event == Event("evt_1", "payment_intent.succeeded", "pi_1", created)


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (BODY.replace("pi_1", "pi_2"), signed()),
        (BODY, signed(age_s=400)),
        (BODY, None),
        (BODY, ""),
        (BODY, "t=abc,v1=def"),
        (BODY, "nonsense"),
        (BODY, signed(secret="whsec_somebody_else")),
        ("[]", signed("[]")),
        ("{}", signed("{}")),
        ("{", signed("{")),
    ],
    ids=["changed", "old", "missing", "empty", "not_a_time", "nonsense", "forged", "list", "bare", "broken"],
)
def test_a_webhook_that_cannot_be_believed_is_refused(body: str, header: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        StripeWebhook([SECRET]).signed_event(body.encode(), header)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(SignatureInvalid):
        StripeWebhook([SECRET]).signed_event(b"\xff\xfe", signed())


@pytest.mark.parametrize("secret", ["whsec_old", SECRET])
def test_while_secrets_are_rotated_both_sign(secret: str) -> None:
    webhook = StripeWebhook(["whsec_old", SECRET])
    assert webhook.signed_event(BODY.encode(), signed(secret=secret)).id == "evt_1"


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_the_endpoint_is_closed(secrets: list[str]) -> None:
    webhook = StripeWebhook(secrets)
    assert not webhook.is_open
    with pytest.raises(WebhookClosed):
        webhook.signed_event(BODY.encode(), signed(secret=""))


def test_each_endpoint_has_its_own_secret() -> None:
    gateway = StripeGateway("sk_test_x", webhooks={"platform": StripeWebhook([SECRET])})
    assert gateway.signed_event(BODY.encode(), signed()).id == "evt_1"
    with pytest.raises(WebhookClosed):
        gateway.signed_event(BODY.encode(), signed(), endpoint="connect")
