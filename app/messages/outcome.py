"""What comes of a delivery, and what is kept of the address it went to."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from app.messages.models import Delivery


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery; `reason` names an error, never an address."""

    state: str
    reason: str | None = None


TOO_LATE = Outcome("skipped", "too late")
"""It would be no news any more."""
READ = Outcome("skipped", "read in the app")
IN_DOUBT = Outcome("skipped", "phone in doubt")
"""Whose phone it is must be confirmed anew."""
LEFT = Outcome("skipped", "signed out")
"""Its owner has signed out there: whoever has it now is to read nothing."""


def write(row: Delivery, outcome: Outcome, now: datetime) -> None:
    """It is done, one way or another."""
    row.state, row.reason, row.at, row.try_at = outcome.state, outcome.reason, now, None


def hash_of(address: str) -> bytes:
    return hashlib.sha256(address.encode()).digest()
