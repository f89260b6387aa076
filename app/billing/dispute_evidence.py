"""What we answer to a dispute: built once from the rental's own records, sent to the bank before it stops listening."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app import facts
from app.billing import commands, dispute
from app.billing.payout_models import Dispute
from app.kit import clock
from app.kit.db import session, transactional, uuid7
from app.kit.errors import Unavailable
from app.kit.facts import record
from app.kit.jobs import defer, job
from payments.disputes import Disputes, DisputeState
from payments.gateway import KeySpent, PaymentsRefused, PaymentsUnavailable

log = structlog.get_logger(__name__)
EVIDENCE_OF: list[Callable[[str], Mapping[str, str]]] = []
"""What the records of a rental say (its id), by the fields of `payments.evidence`; the factory fills it."""
SHEET_OF: list[Callable[[str], bytes | None]] = []
"""The photos of a rental (its id) as a PDF, None where there are none; the factory fills it."""
SHEET = "uncategorized_file"
WITHOUT = timedelta(hours=24)
"""So long before the bank stops listening the words go out without the photos, if these cannot be had."""
ANSWERABLE = (DisputeState.OPEN.value, DisputeState.INQUIRY.value)


@transactional
def due(ref: str) -> None:
    """Deadline "evidence": have it sent."""
    defer("dispute_evidence", lock=ref, ref=ref)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent, as plain values."""

    rental: str
    external: str
    key: str
    evidence: Mapping[str, str]
    in_time: bool


@job("dispute_evidence")
def dispute_evidence(ref: str) -> None:
    """Send the evidence of a dispute, once: the bank reads no second letter. First its photos, which it names."""
    answer = _answer(ref)
    if answer is None:
        return
    try:
        _send(ref, answer)
    except KeySpent:
        _ask_anew(ref)
        raise


def _send(ref: str, answer: _Answer) -> None:
    door = commands.disputes()
    if SHEET not in answer.evidence:
        answer = _with_sheet(ref, _kept_sheet(door, answer))
    evidence = {name: text for name, text in answer.evidence.items() if text}
    try:
        found = door.submit_evidence(answer.external, evidence, key=answer.key)
    except (PaymentsRefused, KeySpent):
        found = door.dispute(answer.external)
        if not found.submissions:
            raise
    _sent(ref)
    dispute.apply(found)


@transactional
def _ask_anew(ref: str) -> None:
    """A fault of the provider lies under the key, and no letter has come of it."""
    row = session.get_one(Dispute, ref, with_for_update=True, populate_existing=True)
    row.key = f"evidence:{uuid7()}"


def _kept_sheet(door: Disputes, answer: _Answer) -> str:
    """The provider's id of the photos, empty without: none there, not wanted, or not to be had and no time is left."""
    try:
        for ask in SHEET_OF:
            sheet = ask(answer.rental)
            if sheet:
                return door.keep_file("photos.pdf", sheet, key=f"{answer.key}:photos")
    except PaymentsRefused as error:
        log.warning("the photos of a dispute are not taken", error=repr(error))
    except (Unavailable, PaymentsUnavailable):
        if answer.in_time:
            raise
    return ""


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
    return _of(row)


@transactional
def _with_sheet(ref: str, file: str) -> _Answer:
    """The photos are kept with the words before any of it is sent, or that there are none."""
    row = session.get_one(Dispute, ref, with_for_update=True, populate_existing=True)
    row.evidence = {SHEET: file, **(row.evidence or {})}
    return _of(row)


def _of(row: Dispute) -> _Answer:
    in_time = row.answer_by is None or clock.now() < row.answer_by - WITHOUT
    return _Answer(row.rental_id, row.external_id, row.key, row.evidence or {}, in_time)


@transactional
def _sent(ref: str) -> None:
    row = session.get_one(Dispute, ref, with_for_update=True, populate_existing=True)
    if row.evidence_sent_at is None:
        row.evidence_sent_at = clock.now()
        record(facts.EvidenceSent(row.payment_id, row.rental_id, row.id))
