"""What we ask of a payment provider when a cardholder disputes a payment, or a bank warns of fraud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from payments.money import Money


class DisputeState(StrEnum):
    """Where a dispute stands. An inquiry only asks, and moves no money; one that is dropped ends without effect."""

    INQUIRY = "inquiry"
    OPEN = "open"
    SENT = "sent"
    WON = "won"
    LOST = "lost"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that a dispute took from us (below zero) or gave back, and the fee for it."""

    id: str
    amount: Money
    fee: Money


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute of one charge: `answer_by` is when the bank stops listening, `refundable` whether a refund is allowed."""

    id: str
    state: DisputeState
    reason: str
    amount: Money
    charge: str
    answer_by: datetime | None
    submissions: int
    refundable: bool
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class FraudWarning:
    """A bank says that a charge is probably fraud; no longer `actionable` once it was refunded or disputed."""

    id: str
    charge: str
    kind: str
    actionable: bool


class Disputes(Protocol):
    """Disputes and warnings. `key` and the errors as in `payments.gateway`; an unknown object is PaymentsRefused."""

    def dispute(self, dispute: str) -> Dispute: ...

    def disputes_since(self, since: datetime) -> Sequence[Dispute]:
        """Every dispute opened at or after that instant."""
        ...

    def keep_file(self, name: str, data: bytes, *, key: str) -> str:
        """Hand in a file that evidence may name, a PDF or JPEG of 4.5 MB at most; its id."""
        ...

    def submit_evidence(self, dispute: str, evidence: Mapping[str, str], *, key: str) -> Dispute:
        """Send the evidence to the bank, which reads it once. Raises PaymentsRefused when it is too late or too long."""
        ...

    def warning(self, warning: str) -> FraudWarning: ...
