"""What we answer to a dispute: built once from the rental's own records, sent to the bank before it stops listening."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app import facts
from app.billing import commands, dispute
from app.billing.payout_models import Dispute
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.facts import record
from app.kit.jobs import defer, job
from payments.disputes import DisputeState
from payments.gateway import PaymentsRefused

EVIDENCE_OF: list[Callable[[str], Mapping[str, str]]] = []
"""What the records of a rental say (its id), by the fields of `payments.evidence`; the factory fills it."""
ANSWERABLE = (DisputeState.OPEN.value, DisputeState.INQUIRY.value)


@transactional
def due(ref: str) -> None:
    """Deadline "evidence": have it sent."""
    defer("dispute_evidence", lock=ref, ref=ref)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent, as plain values."""

    external: str
    key: str
    evidence: Mapping[str, str]


@job("dispute_evidence")
def dispute_evidence(ref: str) -> None:
    """Send the evidence of a dispute, once: the bank reads no second letter."""
    answer = _answer(ref)
    if answer is None:
        return
    door = commands.disputes()
    try:
        found = door.submit_evidence(answer.external, answer.evidence, key=answer.key)
    except PaymentsRefused:
        found = door.dispute(answer.external)
        if not found.submissions:
            raise
    _sent(ref)
    dispute.apply(found)


@transactional
def _answer(ref: str) -> _Answer | None:
    """The evidence, kept as it is first built, so that a repeat sends the same under the same key."""
    row = session.get(Dispute, ref, with_for_update=True, populate_existing=True)
    if row is None or row.evidence_sent_at is not None or row.state not in ANSWERABLE:
        return None
    if row.evidence is None:
        found: dict[str, str] = {}
        for ask in EVIDENCE_OF:
            found |= ask(row.rental_id)
        row.evidence = found
    return _Answer(row.external_id, row.key, row.evidence)


@transactional
def _sent(ref: str) -> None:
    row = session.get_one(Dispute, ref, with_for_update=True, populate_existing=True)
    if row.evidence_sent_at is None:
        row.evidence_sent_at = clock.now()
        record(facts.EvidenceSent(row.payment_id, row.rental_id, row.id))
