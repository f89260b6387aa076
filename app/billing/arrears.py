"""Arrears in the books: claimed while a driver has not paid, given up when written off, back once they pay after all."""

from collections.abc import Mapping
from types import MappingProxyType

from app.billing import ledger
from app.billing.models import Payment
from app.billing.states import State

_ENDS: Mapping[State, str] = MappingProxyType(
    {
        State.CAPTURED: "arrears_paid",
        State.RELEASED: "arrears_void",
        State.WRITTEN_OFF: "write_off",
    }
)
"""The entry by which a claim ends, by where the payment then stands."""


def in_the_books(payment: Payment) -> None:
    """Bring what the books claim of the driver to where the payment stands; on its way between, it stays as it was."""
    state = State(payment.state)
    if state == State.ARREARS:
        ledger.claimed(payment, payment.owed or 0, "arrears")
    elif state in _ENDS:
        if payment.written_off_at is not None and state != State.WRITTEN_OFF:
            _back(payment)
        if payment.receivable:
            ledger.claimed(payment, 0, _ENDS[state])


def _back(payment: Payment) -> None:
    """Written off, and settled after all: the claim stands again, and ends as any other."""
    ledger.claimed(payment, ledger.written_off(payment), "write_off_reversed")
    payment.written_off_at = payment.bar_lifted_at = None
