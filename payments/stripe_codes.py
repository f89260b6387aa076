"""Stripe's words as ours: states, decline codes and errors, as data.

Sources: docs.stripe.com/declines/codes, docs.stripe.com/error-codes,
docs.stripe.com/payments/paymentintents/lifecycle.
"""

from collections.abc import Mapping
from types import MappingProxyType

from payments.disputes import DisputeState
from payments.gateway import IntentState, RefundState, SetupState
from payments.payouts import PayoutState

API_VERSION = "2026-10-28.endive"
"""Pinned; a webhook endpoint is registered with the same version."""

INTENT_STATES: Mapping[str, IntentState] = MappingProxyType(
    {
        "requires_payment_method": IntentState.CARD_NEEDED,
        "requires_confirmation": IntentState.CARD_NEEDED,
        "requires_action": IntentState.ACTION_REQUIRED,
        "processing": IntentState.PROCESSING,
        "requires_capture": IntentState.HELD,
        "succeeded": IntentState.CAPTURED,
        "canceled": IntentState.RELEASED,
    }
)

SETUP_STATES: Mapping[str, SetupState] = MappingProxyType(
    {
        "requires_payment_method": SetupState.CARD_NEEDED,
        "requires_confirmation": SetupState.CARD_NEEDED,
        "requires_action": SetupState.ACTION_REQUIRED,
        "processing": SetupState.PROCESSING,
        "succeeded": SetupState.SAVED,
        "canceled": SetupState.CANCELLED,
    }
)

REFUND_STATES: Mapping[str, RefundState] = MappingProxyType(
    {
        "pending": RefundState.PENDING,
        "requires_action": RefundState.PENDING,
        "succeeded": RefundState.SUCCEEDED,
        "failed": RefundState.FAILED,
        "canceled": RefundState.FAILED,
    }
)

HARD_DECLINES = frozenset(
    {
        "card_not_supported",
        "card_velocity_exceeded",
        "currency_not_supported",
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "no_action_taken",
        "not_permitted",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "service_not_allowed",
        "stolen_card",
        "stop_payment_order",
        "testmode_decline",
        "transaction_not_allowed",
    }
)
"""This card is not worth another day. All other codes are soft: insufficient_funds, processing_error,
issuer_not_available, try_again_later, generic_decline, do_not_honor (hard only after the second) ..."""

AUTHENTICATION_CODES = frozenset({"authentication_required", "authentication_not_handled"})
"""Declines that the cardholder can lift by confirming the same intent."""

ACCOUNT_CODES = frozenset({"insufficient_capabilities_for_transfer", "account_invalid", "resource_missing"})
"""Refusals of a transfer that are about the account it goes to."""

STATE_CODES = frozenset(
    {
        "charge_already_captured",
        "charge_expired_for_capture",
        "intent_invalid_state",
        "payment_intent_unexpected_state",
        "resource_missing",
    }
)
"""Refusals that mean: look at the intent again."""

EVENT_KINDS = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.requires_action",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_intent.canceled",
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "charge.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "radar.early_fraud_warning.created",
)
"""One event per fact; at most 20, the limit of Stripe's list."""

CONNECT_EVENT_KINDS = ("account.updated", "payout.paid", "payout.failed")
"""What happens on owners' accounts; it comes to the endpoint for them alone."""

DISPUTE_STATES: Mapping[str, DisputeState] = MappingProxyType(
    {
        "warning_needs_response": DisputeState.INQUIRY,
        "warning_under_review": DisputeState.INQUIRY,
        "warning_closed": DisputeState.DROPPED,
        "prevented": DisputeState.DROPPED,
        "needs_response": DisputeState.OPEN,
        "under_review": DisputeState.SENT,
        "won": DisputeState.WON,
        "lost": DisputeState.LOST,
        "appeal_needs_response": DisputeState.LOST,
        "appeal_under_review": DisputeState.LOST,
    }
)
"""docs.stripe.com/disputes/how-disputes-work: a warning is an inquiry, which moves no money."""

PAYOUT_STATES: Mapping[str, PayoutState] = MappingProxyType(
    {
        "pending": PayoutState.UNDER_WAY,
        "in_transit": PayoutState.UNDER_WAY,
        "paid": PayoutState.ARRIVED,
        "failed": PayoutState.FAILED,
        "canceled": PayoutState.FAILED,
    }
)


def is_hard(code: str) -> bool:
    return code in HARD_DECLINES
