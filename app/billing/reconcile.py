"""Comparing our payments with the provider's: what was not delivered is fetched, every difference is logged and counted."""

from collections import Counter as Tally
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.billing import cards, commands, dispute, dispute_of, outcome, payout_account, transfer, webhook
from app.billing.models import Card, Payment, ProviderCursor
from app.billing.payout_models import Dispute
from app.billing.states import State
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from app.kit.metrics import REGISTRY
from payments.disputes import DisputeState
from payments.gateway import Intent, IntentGone, IntentState

log = structlog.get_logger(__name__)
EVERY = timedelta(minutes=15)
OVERLAP = timedelta(minutes=10)
LOOK_BACK = timedelta(hours=72)
DIFFERENCES = Counter(
    "glovebox_payment_differences",
    "What the comparison with the provider found.",
    ["kind"],
    registry=REGISTRY,
)
_EXPECTED = {
    State.HELD: (IntentState.HELD,),
    State.ACTION_REQUIRED: (IntentState.ACTION_REQUIRED, IntentState.CARD_NEEDED),
    State.HOLD_FAILED: (IntentState.CARD_NEEDED,),
    State.ARREARS: (IntentState.CARD_NEEDED, IntentState.RELEASED),
    State.CAPTURED: (IntentState.CAPTURED,),
    State.RELEASED: (IntentState.RELEASED,),
}


@transactional
def due(ref: str) -> None:
    """Deadline "reconcile": have the comparison made, and the next one in a quarter of an hour."""
    defer("payments_reconcile", lock="payments_reconcile")
    deadlines.at("reconcile", ref, clock.now() + EVERY)


@job("payments_reconcile")
def payments_reconcile() -> None:
    run()


def run() -> dict[str, int]:
    """Fetch what was not delivered, compare what is open and what is young; how much differed, by kind."""
    began = clock.now()
    found: Tally[str] = Tally()
    since = _cursor(began)
    for event in commands.door().events_since(since, undelivered_only=True):
        if webhook.store("platform", event):
            found["undelivered"] += 1
    for payment in _open():
        _compare(payment, found)
    _compare_young(began, found)
    for card in _pending_cards():
        cards.card_setup(card)
    for one in _undecided():
        dispute.follow(one)
    payout_account.look_again()
    forgotten = transfer.plan_forgotten()
    if forgotten:
        found["no_transfer"] += forgotten
    _advance(began - OVERLAP)
    for kind, count in found.items():
        DIFFERENCES.labels(kind).inc(count)
        log.warning("payments differ", kind=kind, count=count)
    return dict(found)


def _compare(payment: Payment, found: Tally[str]) -> None:
    if payment.intent_id is None:
        return
    try:
        intent = commands.door().intent(payment.intent_id)
    except IntentGone:
        found["gone"] += 1
        log.warning("intent unknown to the provider", payment=payment.id)
        return
    expected = _EXPECTED.get(State(payment.state))
    if expected is not None and intent.state not in expected:
        found["state"] += 1
    outcome.apply(intent)


def _compare_young(began: datetime, found: Tally[str]) -> None:
    """Every intent of the last three days: each must be ours, and captured and refunded as in our books."""
    for intent in commands.door().intents_since(began - LOOK_BACK):
        row = _payment_of(intent)
        if row is None:
            found["not_ours"] += 1
            log.error("an intent without a command of ours", intent=intent.id)
        elif _differs(row, intent):
            found["amount"] += 1
            log.error("captured or refunded differ", payment=row.id)


def _differs(row: Payment, intent: Intent) -> bool:
    if row.intent_id != intent.id or row.state not in (State.CAPTURED, State.REFUNDED):
        return False
    return (row.captured, row.refunded) != (intent.captured.amount, intent.refunded.amount)


@transactional
def _payment_of(intent: Intent) -> Payment | None:
    command = outcome.find(intent.id, intent.command)
    if command is None or command.payment_id is None:
        return None
    return session.get(Payment, command.payment_id, populate_existing=True)


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
def _cursor(began: datetime) -> datetime:
    row = session.get(ProviderCursor, "platform", populate_existing=True)
    return row.at if row else began - LOOK_BACK


@transactional
def _advance(to: datetime) -> None:
    statement = insert(ProviderCursor).values(name="platform", at=to)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": to}))
