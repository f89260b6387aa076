"""Stripe's webhooks: believed only with a fresh signature over the very bytes that came."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import stripe

from payments.gateway import Event, SignatureInvalid, WebhookClosed

TOLERANCE_S = 300


class StripeWebhook:
    """One endpoint with its secrets: one, or the old and the new one while they are rotated. None: closed."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    @property
    def is_open(self) -> bool:
        return bool(self._secrets)

    def signed_event(self, raw: bytes, header: str | None) -> Event:
        """The event in these bytes. The age is measured on real time, never on business time."""
        if not self._secrets:
            raise WebhookClosed("no secret is set for this endpoint")
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            raise SignatureInvalid("not UTF-8") from None
        if not any(_is_signed(body, header, secret) for secret in self._secrets):
            raise SignatureInvalid("missing, wrong or older than the tolerance")
        try:
            data = json.loads(body)
            created = datetime.fromtimestamp(data["created"], UTC)
            return Event(data["id"], data["type"], data["data"]["object"]["id"], created, data.get("account"))
        except (ValueError, KeyError, TypeError):
            raise SignatureInvalid("signed, but not an event") from None


def _is_signed(body: str, header: str | None, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, TOLERANCE_S)
    except (stripe.SignatureVerificationError, ValueError):
        return False
    return True
