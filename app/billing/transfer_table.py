"""The states of an owner's share of a payment, as one table. Pure; nothing else moves a transfer (`transfer.befalls` does).

What no row names changes nothing.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from app.billing.states import DECIDED, TransferState


class TransferEvent(StrEnum):
    """What befalls a transfer: what its deadline decides first, then the bank's disputes, then the provider's answer."""

    NOTHING_OWED = "nothing_owed"
    NOWHERE_TO_PAY = "nowhere_to_pay"
    SEND = "send"
    DISPUTED = "disputed"
    STOPPED = "stopped"
    UNDISPUTED = "undisputed"
    SENT = "sent"
    NOT_SENT = "not_sent"
    NOT_PAYABLE = "not_payable"
    EARNED_AGAIN = "earned_again"


class Row(NamedTuple):
    """In these states it goes to `to`."""

    event: TransferEvent
    states: Collection[TransferState]
    to: TransferState


S, E = TransferState, TransferEvent
_OPEN = frozenset(TransferState) - DECIDED

TABLE = (
    Row(E.NOTHING_OWED, _OPEN, S.SETTLED),
    Row(E.NOWHERE_TO_PAY, _OPEN, S.PAYABLE_BLOCKED),
    Row(E.SEND, _OPEN, S.SETTLING),
    Row(E.DISPUTED, _OPEN, S.FROZEN),
    Row(E.STOPPED, {S.SETTLING}, S.FROZEN),
    Row(E.UNDISPUTED, {S.FROZEN}, S.WAITING),
    Row(E.SENT, {S.SETTLING}, S.SETTLED),
    Row(E.NOT_SENT, {S.SETTLING}, S.WAITING),
    Row(E.NOT_PAYABLE, {S.SETTLING}, S.PAYABLE_BLOCKED),
    Row(E.EARNED_AGAIN, {S.SETTLED}, S.WAITING),
)


def follow(state: TransferState, event: TransferEvent) -> TransferState | None:
    """Where it then stands; None: nothing follows."""
    return next((row.to for row in TABLE if row.event is event and state in row.states), None)
