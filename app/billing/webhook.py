"""What the provider tells us: stored once, answered at once, worked off by a job that reads the object itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask import request
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.billing import bank_payout, cards, commands, dispute, fraud_warning, outcome, payout_account, refund
from app.billing.models import Card, Payment, PaymentCommand, WebhookEvent
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.errors import NotFound, SignatureInvalid, Unavailable
from app.kit.jobs import defer, job
from payments import gateway
from payments.gateway import Endpoint, Event, IntentGone, WebhookClosed

PATIENCE = timedelta(hours=1)
"""How long an object that we do not know may still be ours: a webhook can outrun our own commit."""
UNKNOWN = "unknown"


def receive(endpoint: Endpoint) -> None:
    """The webhook in this request. Raises SignatureInvalid, and NotFound where no secret is set."""
    raw = request.get_data(cache=True)
    try:
        event = commands.provider().signed_event(
            raw, request.headers.get("Stripe-Signature"), endpoint=endpoint
        )
    except gateway.SignatureInvalid as error:
        raise SignatureInvalid("Not signed with our secret, or older than 300 s.") from error
    except (WebhookClosed, Unavailable) as error:
        raise NotFound from error
    store(endpoint, event)


@transactional
def store(endpoint: str, event: Event) -> bool:
    """Keep the hint once, with the job that follows it; False when it is here already."""
    statement = insert(WebhookEvent).values(
        endpoint=endpoint,
        event_id=event.id,
        kind=event.kind,
        object_id=event.object_id,
        account=event.account,
        created_at=event.created,
        received_at=real_now(),
    )
    made = session.execute(statement.on_conflict_do_nothing().returning(WebhookEvent.id)).scalar()
    if made is not None:
        defer("stripe_event", lock=event.object_id, event=made)
    return made is not None


@dataclass(frozen=True, slots=True)
class _Hint:
    kind: str
    object_id: str
    account: str | None
    is_new: bool


@job("stripe_event")
def stripe_event(event: int) -> None:
    """Read the object that the event names and bring our record to it; a stale event changes nothing."""
    hint = _hint(event)
    if hint is None:
        return
    known = _follow(hint)
    if not known and hint.is_new:
        raise Unavailable(f"{hint.object_id} is not known here yet.")
    _done(event, "applied" if known else UNKNOWN)


@transactional
def _hint(event: int) -> _Hint | None:
    row = session.get(WebhookEvent, event, populate_existing=True)
    if row is None or row.done_at is not None:
        return None
    return _Hint(row.kind, row.object_id, row.account, real_now() - row.received_at < PATIENCE)


def _follow(hint: _Hint) -> bool:
    family = hint.kind.partition(".")[0]
    if hint.kind.startswith("charge.dispute."):
        return dispute.follow(hint.object_id)
    if family == "payout":
        # without an account it is one of our own balance, which an operator posts
        return hint.account is None or bank_payout.follow(hint.object_id, hint.account)
    if family in _FAMILIES:
        return _FAMILIES[family](hint.object_id)
    if family == "payment_method":
        cards.refresh(hint.object_id)
    elif hint.kind == "charge.updated":
        _fee(hint.object_id)
    return True


def _intent(intent: str) -> bool:
    try:
        found = commands.door().intent(intent)
    except IntentGone:
        return True
    return outcome.apply(found) or found.command is None


def _setup(setup: str) -> bool:
    card = _card_of(setup)
    if card is None:
        return False
    cards.card_setup(card)
    return True


@transactional
def _card_of(setup: str) -> str | None:
    return session.scalar(select(Card.id).where(Card.setup_id == setup))


def _refund(external: str) -> bool:
    """One that we asked for; another, made by hand at the provider, is what the comparison reports."""
    asked = _asked(external)
    if asked is None:
        return False
    command, payment, intent = asked
    for one in commands.door().refunds_of(intent):
        if one.id == external:
            refund.apply(command, payment, one)
    return True


@transactional
def _asked(external: str) -> tuple[str, str, str] | None:
    row = session.scalar(select(PaymentCommand).where(PaymentCommand.object_id == external))
    if row is None or row.payment_id is None or row.target is None:
        return None
    return row.id, row.payment_id, row.target


_FAMILIES: Mapping[str, Callable[[str], bool]] = {
    "payment_intent": _intent,
    "setup_intent": _setup,
    "refund": _refund,
    "radar": fraud_warning.follow,
    "account": payout_account.refresh,
}
"""What follows a hint about an object; False: not known here yet."""


@transactional
def _fee(charge: str) -> None:
    payment = session.scalar(select(Payment.id).where(Payment.charge_id == charge))
    if payment is not None:
        defer("payment_fee", lock=charge, payment=payment)


@transactional
def _done(event: int, how: str) -> None:
    row = session.get(WebhookEvent, event, with_for_update=True, populate_existing=True)
    if row is not None and row.done_at is None:
        row.done_at, row.outcome = real_now(), how
