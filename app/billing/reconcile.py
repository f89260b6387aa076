"""Comparing our payments with the provider's: what was not delivered is fetched, what is open is looked at again.

Every quarter of an hour what is open; once a night also all that is young, and the balance. What differs is a report.
"""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.billing import (
    bank_payout,
    cards,
    commands,
    compare,
    differences,
    dispute,
    dispute_of,
    outcome,
    payout_account,
    transfer,
    webhook,
)
from app.billing.differences import Difference
from app.billing.models import Card, Payment, ProviderCursor
from app.billing.payout_models import Dispute
from app.billing.states import State
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from app.kit.metrics import REGISTRY
from payments.disputes import DisputeState
from payments.gateway import IntentGone, IntentState

log = structlog.get_logger(__name__)
EVERY = timedelta(minutes=15)
OVERLAP = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""So long the provider keeps its events: the first comparison goes back to the first of them."""
NIGHT = 2
"""The hour of the day, UTC, from which the whole comparison of a day is made."""
EVENTS, WHOLE, BANKS = "platform", "whole", "banks"
"""The cursors: up to when events were fetched, when all was compared, when owners' accounts were asked."""
DIFFERENCES = Counter(
    "glovebox_payment_differences",
    "What the comparison with the provider found.",
    ["kind"],
    registry=REGISTRY,
)
_EXPECTED: Mapping[State, tuple[IntentState, ...]] = MappingProxyType(
    {
        State.HELD: (IntentState.HELD,),
        State.ACTION_REQUIRED: (IntentState.ACTION_REQUIRED, IntentState.CARD_NEEDED),
        State.HOLD_FAILED: (IntentState.CARD_NEEDED,),
        State.ARREARS: (IntentState.CARD_NEEDED, IntentState.RELEASED),
        State.WRITTEN_OFF: (IntentState.CARD_NEEDED, IntentState.RELEASED),
        State.CAPTURED: (IntentState.CAPTURED,),
        State.RELEASED: (IntentState.RELEASED,),
    }
)


@transactional
def due(ref: str) -> None:
    """Deadline "reconcile": have the comparison made, and the next one in a quarter of an hour."""
    defer("payments_reconcile", lock="payments_reconcile")
    deadlines.at("reconcile", ref, clock.now() + EVERY)


@job("payments_reconcile")
def payments_reconcile() -> None:
    run(whole=_is_night(), banks=_tonight(BANKS))


def run(*, whole: bool = True, banks: bool = False) -> list[Difference]:
    """Fetch what was not delivered and look at what is open; `whole`: compare what is young and the balance too.

    `banks`: ask each owner's account for payouts that its bank refused.
    """
    began = clock.now()
    found = [*_undelivered(began), *(one for payment in _open() for one in _looked_at(payment))]
    for card in _pending_cards():
        cards.card_setup(card)
    found += [one for external in _undecided() for one in _followed(external)]
    payout_account.look_again()
    forgotten = transfer.plan_forgotten()
    found += [Difference("no_transfer", payment, None, None, mended=True) for payment in forgotten]
    if whole:
        again = transfer.level_again()
        found += [Difference("earned_again", payment, None, None, mended=True) for payment in again]
        found += compare.differences(began)
        _give_back(found)
        _advance(WHOLE, began)
    if banks:
        found += bank_payout.unheard(began)
        _advance(BANKS, began)
    _advance(EVENTS, began - OVERLAP)
    differences.keep(found, whole=whole)
    _tell(found)
    return found


def _give_back(found: list[Difference]) -> None:
    """What was paid twice and never heard of: the next comparison finds it in the books."""
    for one in found:
        if one.kind == "captured_twice" and one.theirs is not None:
            outcome.apply(commands.door().intent(one.theirs))


def _tell(found: list[Difference]) -> None:
    for one in found:
        log.warning("payments differ", kind=one.kind, subject=one.subject, ours=one.ours, theirs=one.theirs)
    for kind, count in Tally(one.kind for one in found).items():
        DIFFERENCES.labels(kind).inc(count)


def _undelivered(began: datetime) -> Iterator[Difference]:
    for event in commands.door().events_since(_since(began), undelivered_only=True):
        if webhook.store("platform", event):
            yield Difference("undelivered", event.id, None, f"{event.kind} {event.object_id}", mended=True)


def _since(began: datetime) -> datetime:
    return _cursor(EVENTS) or began - KEPT


def _looked_at(payment: Payment) -> Iterator[Difference]:
    """One whose story is not over is brought to what the provider says."""
    if payment.intent_id is None:
        return
    money = payment.money(payment.amount)
    try:
        intent = commands.door().intent(payment.intent_id)
    except IntentGone:
        yield Difference("gone", payment.id, payment.state, None, money)
        return
    expected = _EXPECTED.get(State(payment.state))
    if expected is not None and intent.state not in expected:
        yield Difference("state", payment.id, payment.state, intent.state.value, money, mended=True)
    outcome.apply(intent)


def _followed(external: str) -> Iterator[Difference]:
    was = _dispute_state(external)
    dispute.follow(external)
    now = _dispute_state(external)
    if now != was:
        yield Difference("dispute", external, was, now, mended=True)


@transactional
def _dispute_state(external: str) -> str | None:
    return session.scalar(select(Dispute.state).where(Dispute.external_id == external))


@transactional
def _is_night() -> bool:
    """The whole comparison of this day is due: from 2 o'clock on, once, and again while something differs."""
    return _tonight(WHOLE) or bool(differences.standing())


@transactional
def _tonight(cursor: str) -> bool:
    """What is done once a day, from 2 o'clock on, was not done today."""
    now, last = clock.now(), _cursor(cursor)
    return last is None or (last - timedelta(hours=NIGHT)).date() < (now - timedelta(hours=NIGHT)).date()


@transactional
def _open() -> list[Payment]:
    """Payments whose story is not over."""
    over = (State.CAPTURED, State.REFUNDED, State.DISPUTED, State.RELEASED, State.HOLD_DUE)
    return list(session.scalars(select(Payment).where(Payment.state.not_in(over)).order_by(Payment.id)))


@transactional
def _undecided() -> list[str]:
    """Disputes that the bank has not decided; their events may be lost like any other."""
    open_ = (DisputeState.INQUIRY.value, *dispute_of.HOLDS)
    return list(session.scalars(select(Dispute.external_id).where(Dispute.state.in_(open_))))


@transactional
def _pending_cards() -> list[str]:
    return list(session.scalars(select(Card.id).where(Card.state == cards.PENDING)))


@transactional
def _cursor(name: str) -> datetime | None:
    row = session.get(ProviderCursor, name, populate_existing=True)
    return row.at if row else None


@transactional
def _advance(name: str, to: datetime) -> None:
    statement = insert(ProviderCursor).values(name=name, at=to)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": to}))
