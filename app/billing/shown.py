"""A payment as the parties of its rental see it."""

from typing import Any

from app.billing.models import Payment
from app.billing.outcome import SECRET
from app.billing.payout_models import Transfer
from app.billing.states import State
from app.kit import keys


def payment(row: Payment, *, driver: bool) -> dict[str, Any]:
    """The contract's `payment`; only the driver is shown what to confirm and why it failed."""
    return {
        "id": row.id,
        "purpose": row.purpose,
        "state": row.state,
        "amount": row.money(row.amount).to_dict(),
        "captured": row.money(row.captured).to_dict(),
        "refunded": row.money(row.refunded).to_dict(),
        "release_at": row.capture_before,
        "failure": row.failure_code if driver else None,
        "action": action(row) if driver else None,
        "payout": None,
    }


def deposit(row: Payment | None) -> dict[str, Any] | None:
    """A rental's deposit; None where none was agreed on. It is given back at `release_at`, unless a hearing goes on."""
    if row is None:
        return None
    return {
        "payment": row.id,
        "state": row.state,
        "amount": row.money(row.amount).to_dict(),
        "taken": row.money(row.captured - row.refunded).to_dict(),
        "release_at": row.inspect_until if row.owed is None else None,
    }


def payout(row: Transfer | None) -> dict[str, Any] | None:
    """What its owner is paid of it."""
    if row is None:
        return None
    return {
        "state": row.state,
        "due_at": row.due_at,
        "sent": row.money(row.amount if row.external_id else 0).to_dict(),
        "taken_back": row.money(row.reversed).to_dict(),
    }


def community_payout(row: Transfer) -> dict[str, Any]:
    """What a community is paid of one payment."""
    return {**(payout(row) or {}), "payment": row.payment_id, "rental": row.rental_id}


def action(row: Payment) -> dict[str, Any] | None:
    """What the driver must confirm in the app; None when nothing."""
    if row.state != State.ACTION_REQUIRED or row.action_sealed is None:
        return None
    secret = keys.unseal(SECRET, row.action_sealed).decode()
    return {"client_secret": secret or None, "expires_at": row.deadline_at}
