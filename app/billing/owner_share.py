"""What a posting on an owner's account is to the owner, whatever kind of entry it comes from."""

from app.billing.ledger import EARNING

PAID_OUT = ("transfer", "reversal")
"""Entries that move what was earned to the owner's bank, or back; any other says what is earned."""
TURNED_ROUND = ("refund_failed", "dispute_won")
"""Entries that take back what was given back."""
OF_DRIVERS = EARNING
"""Entries of money that drivers paid or got back."""
WHAT = ("earned", "given_back", "paid_out")


def what(kind: str, amount: int) -> str:
    """`amount` as the owner sees it: above zero they have more."""
    if kind in PAID_OUT:
        return "paid_out"
    if kind in TURNED_ROUND:
        return "given_back"
    return "earned" if amount > 0 else "given_back"
