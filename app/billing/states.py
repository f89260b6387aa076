"""Where a payment stands: the words of the contract, and which of them mean what."""

from enum import StrEnum


class State(StrEnum):
    """`capturing` is also the taking of a charge without a hold."""

    HOLD_DUE = "hold_due"
    HOLDING = "holding"
    ACTION_REQUIRED = "action_required"
    HOLD_FAILED = "hold_failed"
    HELD = "held"
    RENEWING = "renewing"
    HOLD_LOST = "hold_lost"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    RELEASING = "releasing"
    RELEASED = "released"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    ARREARS = "arrears"


NONE = "none"
SECURED = frozenset({State.HELD, State.RENEWING, State.CAPTURED})
"""The money is there: unlock may go on."""
WAITING = frozenset({State.ACTION_REQUIRED, State.HOLD_FAILED})
"""The driver must do something, until the deadline."""
TAKEN = frozenset({State.CAPTURED, State.REFUNDING, State.REFUNDED})
"""Money was taken; the intent is closed."""
UNSECURED_BY_URGENCY = (
    # what is most in the way of unlocking comes first
    State.HOLD_FAILED,
    State.ACTION_REQUIRED,
    State.ARREARS,
    State.HOLD_LOST,
    State.HOLDING,
    State.HOLD_DUE,
    State.CAPTURING,
    State.RELEASING,
    State.RELEASED,
    State.REFUNDING,
    State.REFUNDED,
)
