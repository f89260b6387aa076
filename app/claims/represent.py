"""A charge request as both sides and operators see it, with what the rental itself shows."""

from typing import Any

from app.claims.charge_rules import Step, steps
from app.claims.models import ChargeRequest
from app.kit.db import session
from app.rentals import end as ending
from app.rentals.lifecycle import Role
from app.rentals.models import Rental

_LINKS = {Step.ACCEPT: "answer", Step.CONTEST: "answer", Step.WITHDRAW: "withdraw", Step.APPEAL: "appeal"}


def charge_request(row: ChargeRequest, role: Role) -> dict[str, Any]:
    """The contract's `charge request`; `links` are exactly the steps this reader may take now."""
    mine = {_LINKS[step] for step in steps(row.stands, role) if step in _LINKS}
    own = f"/v1/charge-requests/{row.id}"
    return {
        "id": row.id,
        "rental": row.rental_id,
        "kind": row.kind,
        "amount": _money(row, row.amount),
        "text": row.text,
        "occurred_at": row.occurred_at,
        "document": _document(row),
        "photos": row.photos,
        "evidence": _evidence(session.get_one(Rental, row.rental_id)),
        "state": row.state,
        "made_at": row.made_at,
        "answer_by": row.answer_by,
        "answer": _answer(row),
        "decision": _decision(row),
        "appeal": _appeal(row),
        "charge_not_before": row.charge_not_before,
        "closed_at": row.closed_at,
        "deposit": row.deposit_id,
        "payment": row.payment_id,
        "links": {"self": own, **{step: f"{own}/{step}" for step in sorted(mine)}},
    }


def _money(row: ChargeRequest, amount: int | None) -> dict[str, Any]:
    return {"amount": amount, "currency": row.currency}


def _document(row: ChargeRequest) -> dict[str, Any] | None:
    if row.document is None:
        return None
    return {"reference": row.document, "amount": _money(row, row.document_amount)}


def _answer(row: ChargeRequest) -> dict[str, Any] | None:
    if row.answered_at is None:
        return None
    return {"accept": row.accepted, "text": row.answer, "photos": row.answer_photos, "at": row.answered_at}


def _decision(row: ChargeRequest) -> dict[str, Any] | None:
    """The one in force: after an appeal, the last."""
    if row.final_at is not None:
        return {"amount": _money(row, row.final_amount), "reason": row.final_reason, "at": row.final_at}
    return _first(row)


def _first(row: ChargeRequest) -> dict[str, Any] | None:
    if row.decided_at is None:
        return None
    return {"amount": _money(row, row.decided_amount), "reason": row.decided_reason, "at": row.decided_at}


def _appeal(row: ChargeRequest) -> dict[str, Any] | None:
    if row.appealed_at is None:
        return None
    return {"by": row.appealed_by, "text": row.appeal, "at": row.appealed_at, "against": _first(row)}


def _evidence(rental: Rental) -> dict[str, Any]:
    """What the box read at the unlock and at the lock, and how the rental ended."""
    return {
        "started_at": rental.started_at,
        "ended_at": rental.ended_at,
        "odometer_start_km": _whole(rental.odometer_start),
        "odometer_end_km": _whole(rental.odometer_end),
        "km": ending.driven_km(rental),
        "charge_start_percent": _whole(rental.charge_start),
        "charge_end_percent": _whole(rental.charge_end),
        "keys_stated": rental.keys_stated,
        "plugged_stated": rental.plugged_stated,
        "ended_by": rental.ended_by,
        "end_evidence": rental.end_evidence,
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
