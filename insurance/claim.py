"""The life of a claim as Lloyd's Coverholder Reporting Standards 5.2 name it (CR0105), and what an insurer may say of it."""

from collections.abc import Mapping
from typing import Any, Final

BEGUN: Final = "open"
REOPENED: Final = "reopened"
STATUSES: Final[Mapping[str, str]] = {
    BEGUN: "Open",
    "coverage_agreed": "Open - Coverage agreed",
    "amount_agreed": "Open - Amount agreed",
    "claim_paid": "Open - Claim paid fees outstanding",
    "fees_paid": "Open - Fees paid claims outstanding",
    "claim_and_fees_paid": "Open - Claim and fees paid",
    "closed": "Closed",
    REOPENED: "Re-opened",
    "recovery_pursued": "Closed but Subrogation/Recovery being pursued",
    "withdrawn": "Withdrawn",
    "structured_settlement": "Structured Settlement",
}
"""Our word to theirs. Their twelfth, closed this month, follows from when it was closed."""
CLOSED_THIS_MONTH: Final = "Closed this month"
OVER: Final = frozenset({"closed", "recovery_pursued", "withdrawn", "structured_settlement"})
SETTLED: Final = frozenset({"closed", "withdrawn"})
"""Nothing is kept in reserve for these."""
AMOUNTS: Final = ("reserve_indemnity", "reserve_fees", "paid_indemnity", "paid_fees")


def may_become(now: str, then: str) -> bool:
    """Whether a claim of one status may take on another; to say the same again is no step.

    What is over goes on only by being reopened, or from one end to another; nothing is open as on the first day twice.
    """
    if now == then:
        return True
    if then == REOPENED:
        return now in OVER
    if now in OVER:
        return then in OVER and "withdrawn" not in (now, then)
    return then != BEGUN


def incurred(amounts: Mapping[str, Any], of: str) -> int:
    """Paid and still in reserve, in minor units; `of`: indemnity or fees."""
    return int(amounts[f"paid_{of}"]) + int(amounts[f"reserve_{of}"])
