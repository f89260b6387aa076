"""Webhooks to insurers, by the Standard Webhooks specification: signed with each secret in force."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

_PREFIX: Final = "whsec_"


def new_secret() -> str:
    """24 random bytes as the specification writes them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def headers(message: str, at: datetime, body: str, *, signed_by: Sequence[str]) -> dict[str, str]:
    """What goes with the body of a message sent at that instant."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Glovebox-Webhooks/1",
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(one).sign(message, at, body) for one in signed_by),
    }
