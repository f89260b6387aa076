"""What somebody said in a charge request, for the messages that quote it."""

from app.claims.models import ChargeRequest
from app.facts import ChargeRequestContested, ChargeRequestDecided, ChargeRequested
from app.kit.db import session


def said(ref: str) -> str | None:
    """The words behind `id:fact:final` of a message; None where nothing was said."""
    charge_request, kind, final = ref.split(":")
    row = session.get(ChargeRequest, charge_request)
    if row is None:
        return None
    if kind == ChargeRequestDecided.kind:
        return row.final_reason if final == "True" else row.decided_reason
    return {ChargeRequested.kind: row.text, ChargeRequestContested.kind: row.answer}.get(kind)
