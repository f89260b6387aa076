"""Stripe's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import stripe

from payments import stripe_codes as codes
from payments.gateway import (
    ActionRequired,
    BalanceTooLow,
    CardDeclined,
    KeySpent,
    NotThere,
    PaymentsBusy,
    PaymentsRefused,
    PaymentsUnavailable,
)
from payments.stripe_objects import failure_of

UNAVAILABLE = (stripe.APIConnectionError, stripe.APIError)
SHUT_OUT = (stripe.AuthenticationError, stripe.PermissionError)
"""Our key is not, or no longer, good for this. That says nothing of the payment: it waits until somebody mends the key."""


@contextmanager
def our_errors() -> Iterator[None]:
    """Around every call of the SDK."""
    try:
        yield
    except stripe.StripeError as error:
        _raise_ours(error)


def _raise_ours(error: stripe.StripeError) -> NoReturn:
    if isinstance(error, stripe.CardError):
        _raise_declined(error)
    message, code = error.user_message or type(error).__name__, error.code
    if isinstance(error, (stripe.RateLimitError, *SHUT_OUT)):
        raise PaymentsBusy(message) from error
    if isinstance(error, UNAVAILABLE):
        unavailable = KeySpent if _is_replayed(error) else PaymentsUnavailable
        raise unavailable(message) from error
    if code == "balance_insufficient":
        raise BalanceTooLow(message) from error
    refused = NotThere if code == "resource_missing" else PaymentsRefused
    raise refused(message, code=code) from error


def _is_replayed(error: stripe.StripeError) -> bool:
    """Stripe keeps the first answer under a key, also where that was a fault of its own (500)."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return headers.get("idempotent-replayed") == "true"


def _raise_declined(error: stripe.CardError) -> NoReturn:
    failure = failure_of(error.error)
    code = failure.code if failure else error.code or "generic_decline"
    intent = getattr(error.error, "payment_intent", None)
    if intent is not None and code in codes.AUTHENTICATION_CODES:
        raise ActionRequired(intent.client_secret, intent.id) from error
    raise CardDeclined(code, hard=codes.is_hard(code), intent=intent.id if intent else None) from error
