"""Stripe's objects as ours."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from payments import stripe_codes as codes
from payments.gateway import Card, Failure, Intent, IntentState, PaymentsRefused, Refund, Setup, SetupState
from payments.money import CURRENCIES, Money


def minor(amount: int, currency: str) -> Money:
    """Stripe's minor units are ours for EUR, GBP and CHF."""
    name = currency.upper()
    if name not in CURRENCIES:
        raise PaymentsRefused(f"{name} is not a currency we settle in", code="currency")
    return Money(amount, name)


def intent_of(found: stripe.PaymentIntent) -> Intent:
    """`latest_charge` must be expanded."""
    charge = found.latest_charge if isinstance(found.latest_charge, stripe.Charge) else None
    state = codes.INTENT_STATES[found.status]
    metadata = found.metadata
    return Intent(
        id=found.id,
        state=state,
        amount=minor(found.amount, found.currency),
        capturable=minor(found.amount_capturable or 0, found.currency),
        captured=minor(found.amount_received or 0, found.currency),
        refunded=minor(charge.amount_refunded if charge and charge.captured else 0, found.currency),
        charge=charge.id if charge else None,
        capture_before=_capture_before(charge) if state is IntentState.HELD else None,
        client_secret=found.client_secret,
        failure=failure_of(found.last_payment_error),
        customer=id_of(found.customer),
        command=word(metadata, "command_id"),
        rental=word(metadata, "rental"),
        release_reason=found.cancellation_reason,
    )


def setup_of(found: stripe.SetupIntent) -> Setup:
    state = codes.SETUP_STATES[found.status]
    return Setup(
        id=found.id,
        state=state,
        client_secret=found.client_secret,
        customer=id_of(found.customer),
        card=id_of(found.payment_method) if state is SetupState.SAVED else None,
        failure=failure_of(found.last_setup_error),
    )


def card_of(found: stripe.PaymentMethod) -> Card:
    if found.card is None:
        raise PaymentsRefused(f"{found.id} is not a card", code="not_a_card")
    card = found.card
    customer = id_of(found.customer)
    return Card(found.id, card.brand, card.last4, card.exp_month, card.exp_year, card.country, customer)


def refund_of(found: stripe.Refund) -> Refund:
    state = codes.REFUND_STATES[found.status or "pending"]
    amount = minor(found.amount, found.currency)
    return Refund(found.id, state, amount, id_of(found.payment_intent), word(found.metadata, "command_id"))


def failure_of(error: Any) -> Failure | None:
    """The bank's own code where it gave one, else Stripe's."""
    code = getattr(error, "decline_code", None) or getattr(error, "code", None)
    if not code:
        return None
    return Failure(code, hard=codes.is_hard(code), asks_holder=code in codes.AUTHENTICATION_CODES)


def _capture_before(charge: stripe.Charge | None) -> datetime | None:
    card = getattr(charge.payment_method_details, "card", None) if charge else None
    until = getattr(card, "capture_before", None)
    return datetime.fromtimestamp(until, UTC) if until else None


def id_of(found: Any) -> str | None:
    """An object or its id: Stripe answers either."""
    return found if found is None or isinstance(found, str) else found.id


def word(metadata: Any, name: str) -> str | None:
    return metadata[name] if metadata is not None and name in metadata else None


def loose(params: Mapping[str, Any]) -> Any:
    """The SDK's parameter types are closed; the double checks the real ones at run time."""
    return params
