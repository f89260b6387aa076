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
    DISPUTED = "disputed"
    ARREARS = "arrears"
    WRITTEN_OFF = "written_off"


NONE = "none"
CHARGE_REQUEST = "charge_request"
"""What a hearing settled after the rental: no part of its price, so its end and its receipt never wait for it."""
DEPOSIT = "deposit"
"""Held beside the rent, given back after the rental: only a hearing may take of it."""
OVERPAID = "overpaid"
"""What a driver confirmed after it was paid otherwise: given back in full, and nobody's earning meanwhile."""
APART = (CHARGE_REQUEST, DEPOSIT, OVERPAID)
"""Purposes that are no part of a rental's price."""
SECURED = frozenset({State.HELD, State.RENEWING, State.CAPTURED})
"""The money is there: unlock may go on."""
WAITING = frozenset({State.ACTION_REQUIRED, State.HOLD_FAILED})
"""The driver must do something, until the deadline."""
TAKEN = frozenset({State.CAPTURED, State.REFUNDING, State.REFUNDED, State.DISPUTED})
"""Money was taken; the intent is closed. Disputed it is while the bank has it back, for good once that is lost."""


OWING = frozenset({State.ARREARS, State.ACTION_REQUIRED})
"""Arrears, where the rental is over and something is owed; asked to confirm it, the driver has not paid either."""


class TransferState(StrEnum):
    """Where the owner's share of a payment stands: `frozen` while that is disputed, `settled` also with nothing sent."""

    WAITING = "waiting"
    FROZEN = "frozen"
    PAYABLE_BLOCKED = "payable_blocked"
    SETTLING = "settling"
    SETTLED = "settled"


DECIDED = frozenset({TransferState.SETTLING, TransferState.SETTLED})
"""What is paid was reckoned, also where that was nothing, because the owner owed as much."""
UNSECURED_BY_URGENCY = (
    # what is most in the way of unlocking comes first
    State.HOLD_FAILED,
    State.ACTION_REQUIRED,
    State.ARREARS,
    State.WRITTEN_OFF,
    State.HOLD_LOST,
    State.HOLDING,
    State.HOLD_DUE,
    State.CAPTURING,
    State.RELEASING,
    State.RELEASED,
    State.REFUNDING,
    State.REFUNDED,
    State.DISPUTED,
)
