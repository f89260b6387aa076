"""Disputes of payments: the money that is away kept in suspense, the owner's share frozen, the outcome in the books."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import structlog
from sqlalchemy import select

from app import facts
from app.billing import advance, commands, dispute_of, ledger, transfer
from app.billing.ledger import Entry, Line
from app.billing.models import Payment
from app.billing.payout_models import Dispute
from app.billing.state_table import Event
from app.kit import clock, deadlines
from app.kit.db import bare, new_id, session, transactional, uuid7
from app.kit.errors import NotFound
from app.kit.facts import record
from payments import disputes
from payments.disputes import DisputeState, Movement
from payments.gateway import NotThere
from payments.money import Money

log = structlog.get_logger(__name__)
PLATFORM, OWNER = "platform", "owner"
EVIDENCE_BEFORE = timedelta(hours=48)
"""So long before the bank stops listening our evidence goes out by itself."""
_RANK: Mapping[str, int] = MappingProxyType(
    {
        "": -1,
        DisputeState.INQUIRY: 0,
        DisputeState.OPEN: 1,
        DisputeState.SENT: 2,
        DisputeState.DROPPED: 3,
        DisputeState.LOST: 3,
        DisputeState.WON: 4,
    }
)
"""A dispute only goes up; a lost one may still be won by an appeal."""
_DECIDED = (DisputeState.DROPPED, DisputeState.LOST, DisputeState.WON)


def follow(external: str) -> bool:
    """The provider says that a dispute changed; False when its charge is not one of ours (yet)."""
    try:
        found = commands.disputes().dispute(external)
    except NotThere:
        return True
    return apply(found) is not None


@transactional
def apply(found: disputes.Dispute) -> str | None:
    """Bring our record to what the provider says; our id of the dispute, None when its charge is not ours."""
    payment_id = session.scalar(select(Payment.id).where(Payment.charge_id == found.charge))
    if payment_id is None:
        return None
    payment = commands.lock(payment_id)
    row = _of_external(found.id) or _new(payment, found)
    was = row.state
    row.refundable, row.answer_by = found.refundable, found.answer_by
    for one in found.movements:
        _moved(payment, row, one)
    if _RANK[found.state] > _RANK[was]:
        row.state, row.changed_at = found.state.value, clock.now()
        _stepped(payment, row, was)
    session.flush()
    return row.id


def _of_external(external: str) -> Dispute | None:
    return session.scalar(select(Dispute).where(Dispute.external_id == external).with_for_update())


def _new(payment: Payment, found: disputes.Dispute) -> Dispute:
    made = new_id("dsp")
    row = Dispute(
        id=made,
        payment_id=payment.id,
        rental_id=payment.rental_id,
        external_id=found.id,
        key=f"evidence:{bare(made, 'dsp')}",
        state="",
        reason=found.reason,
        amount=found.amount.amount,
        currency=found.amount.currency,
        refundable=found.refundable,
        borne_by=PLATFORM,
        made_at=clock.now(),
        changed_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def _stepped(payment: Payment, row: Dispute, was: str) -> None:
    """What follows from its new state, also from one that passed the states between unseen."""
    if was in ("", DisputeState.INQUIRY) and row.state not in (DisputeState.INQUIRY, DisputeState.DROPPED):
        _opened(payment)
    if was == DisputeState.INQUIRY and row.state == DisputeState.OPEN:
        # what answered the inquiry does not count for the dispute it has become: the bank is written to again
        row.evidence, row.evidence_sent_at, row.key = None, None, f"evidence:{uuid7()}"
    if row.state in _DECIDED:
        deadlines.drop(row.id, "evidence")
        _decided(payment, row)
    elif row.answer_by is not None and row.evidence_sent_at is None:
        deadlines.at("evidence", row.id, max(clock.now(), row.answer_by - EVIDENCE_BEFORE))


def _opened(payment: Payment) -> None:
    log.error("a payment is disputed", payment=payment.id)
    transfer.freeze(payment)
    advance.befalls(payment, Event.DISPUTE_MOVED)
    record(facts.PaymentDisputed(payment.id, payment.rental_id))


def _decided(payment: Payment, row: Dispute) -> None:
    if row.state == DisputeState.LOST:
        _write_off(payment, row, "dispute_lost")
    elif row.state == DisputeState.WON:
        _write_off(payment, row, "dispute_won")
    advance.befalls(payment, Event.DISPUTE_MOVED)
    if not dispute_of.holds(payment.id):
        transfer.thaw(payment)
    transfer.level(payment)
    record(facts.DisputeDecided(payment.id, payment.rental_id, row.state))
    advance.next_step(payment)


# -- the books -------------------------------------------------------------------------------------------------------


def _moved(payment: Payment, row: Dispute, one: Movement) -> None:
    """Withdrawn: what is away waits in suspense. Reinstated: the other way. The fee is ours either way."""
    lines = (
        Line(ledger.DISPUTE_SUSPENSE, -one.amount, row.id),
        Line(ledger.PROCESSOR_FEES, one.fee),
        Line(ledger.STRIPE_CLEARING, one.amount - one.fee),
    )
    kind = "dispute_withdrawn" if one.amount.amount < 0 else "dispute_reinstated"
    ledger.post(Entry(kind, "movement", one.id, lines, payment.id, payment.rental_id))


def _write_off(payment: Payment, row: Dispute, kind: str) -> None:
    """Empty the suspense: lost, someone bears it; won after it was lost, they get it back. Won at once, it is empty."""
    left = ledger.balances(ledger.DISPUTE_SUSPENSE, row.currency, row.id)
    if not left or (kind == "dispute_lost") != (left.amount > 0):
        return
    share = _owners(payment, row, left)
    lines = (*_borne(payment, share, left - share), Line(ledger.DISPUTE_SUSPENSE, -left, row.id))
    ledger.post(Entry(kind, "dispute", row.id, lines, payment.id, payment.rental_id))


def _owners(payment: Payment, row: Dispute, amount: Money) -> Money:
    """What of it the owner bears: nothing, or as much as they had earned."""
    if row.borne_by != OWNER:
        return amount * 0
    earned = ledger.remaining(payment).owner
    if amount.amount < 0:
        return -min(earned, -amount, key=lambda one: one.amount)
    return min(earned, amount, key=lambda one: one.amount)


def _borne(payment: Payment, owners: Money, ours: Money) -> tuple[Line, ...]:
    return Line(ledger.OWNER_PAYABLE, owners, payment.payee), Line(ledger.BAD_DEBT, ours)


# -- operators -------------------------------------------------------------------------------------------------------


@transactional
def charge_owner(dispute: str) -> Dispute:
    """The owner caused it: if it is lost, or was, their share is theirs to bear. Raises NotFound."""
    found = session.get(Dispute, dispute)
    if found is None:
        raise NotFound
    payment = commands.lock(found.payment_id)
    row = session.get_one(Dispute, dispute, with_for_update=True, populate_existing=True)
    if row.borne_by == PLATFORM:
        row.borne_by = OWNER
        if row.state == DisputeState.LOST:
            share = _owners(payment, row, Money.from_dict({"amount": row.amount, "currency": row.currency}))
            entry = _borne(payment, share, -share)
            ledger.post(Entry("dispute_borne", "dispute", row.id, entry, payment.id, payment.rental_id))
            transfer.level(payment)
    return row
