"""Cards of people: saved with the provider for later, shown by brand and last digits, forgotten on request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import commands
from app.billing.models import CRD, Card, Customer, Payment, PaymentCommand
from app.billing.states import TAKEN, State
from app.kit import clock
from app.kit.clock import real_now
from app.kit.db import PublicId, bare, new_id, public, session, transactional, uuid7
from app.kit.driver import plain
from app.kit.errors import InUse, NotFound, Unavailable
from app.kit.facts import record
from app.kit.jobs import defer, job
from payments import gateway
from payments.gateway import KeySpent, NotThere, PaymentsUnavailable, SetupState

PENDING, SAVED, FAILED = "pending", "saved", "failed"
SETUP_LIVES = timedelta(hours=24)
ASK_EVERY = timedelta(seconds=2)
_MINE = (
    select(Card)
    .where(Card.person_id == bindparam("person", type_=PublicId("per")), Card.removed_at.is_(None))
    .order_by(Card.id.desc())
)


CHARGEABLE = (
    select(Card.id, Card.exp_year, Card.exp_month)
    .where(
        Card.person_id == bindparam("person", type_=PublicId("per")),
        Card.state == SAVED,
        Card.removed_at.is_(None),
    )
    .order_by(Card.id.desc())
)
"""A person's saved cards, newest first."""


def usable(person: str, card: str | None) -> str | None:
    """Our id of a card that can be charged: the one named, else the person's latest; None where there is none."""
    found = first_usable(plain(CHARGEABLE, {"person": bare(person, "per")}), card)
    if found is None:
        rows = session.scalars(_MINE, {"person": person})
        _ask_again([row for row in rows if card in (None, row.id)])
    return found


def first_usable(rows: Sequence[Any], card: str | None) -> str | None:
    """The first of rows of CHARGEABLE that is good now, and is the one named."""
    now = clock.now()
    good = (public(row.id, CRD) for row in rows if not _expired(row, now))
    return next((one for one in good if card in (None, one)), None)


def _expired(row: Any, now: datetime) -> bool:
    """A card is good until the end of its month."""
    return (row.exp_year or 0, row.exp_month or 0) < (now.year, now.month)


def shown(row: Card) -> dict[str, object]:
    """A card as its owner sees it."""
    late = row.state == SAVED and _expired(row, clock.now())
    return {
        "id": row.id,
        "state": "expired" if late else row.state,
        "brand": row.brand,
        "last4": row.last4,
        "exp_month": row.exp_month,
        "exp_year": row.exp_year,
        "country": row.country,
    }


@transactional
def mine(person: str) -> Sequence[Card]:
    """The person's cards, newest first; those not saved yet are asked about by a job."""
    rows = session.scalars(
        select(Card)
        .where(Card.person_id == person, Card.removed_at.is_(None), Card.state != FAILED)
        .order_by(Card.id.desc())
    ).all()
    _ask_again(rows)
    return rows


def _ask_again(rows: Sequence[Card]) -> None:
    now = real_now()
    for row in rows:
        if row.state == PENDING and row.setup_id and (row.asked_at is None or now - row.asked_at > ASK_EVERY):
            row.asked_at = now
            defer("card_setup", lock=row.id, card=row.id)


# -- saving ----------------------------------------------------------------------------------------------------------


@transactional
def begin(person: str) -> Card:
    """A card to be saved and the command that begins it, for `setup` to carry out once this is committed."""
    now = clock.now()
    customer = insert(Customer).values(person_id=person, key=f"customer:{bare(person, 'per')}", made_at=now)
    session.execute(customer.on_conflict_do_nothing())
    row = Card(id=new_id("crd"), person_id=person, state=PENDING, made_at=now)
    session.add(row)
    session.flush()
    command = new_id("pcm")
    session.add(
        PaymentCommand(
            id=command,
            kind="setup",
            card_id=row.id,
            params={},
            params_hash=commands.params_hash("setup", None, None, {}),
            key=commands.key_of("setup", command),
            state=commands.OPEN,
            by=person,
            made_at=now,
        )
    )
    return row


@dataclass(frozen=True, slots=True)
class _Setup:
    """What the provider must be told, as plain values. No address, as of an account of a payee (ADR 0038)."""

    card: str
    person: str
    customer: str | None
    customer_key: str
    setup: str | None
    key: str


def setup(card: str) -> str | None:
    """Ask the provider for the saving of this card, outside any transaction; the client secret for the app.

    The key is the command's: a repeat gives the same setup. None once nothing is left to confirm.
    """
    asked = _asked(card)
    try:
        door = commands.door()
        customer = asked.customer or door.create_customer(person=asked.person, key=asked.customer_key)
        found = door.setup(asked.setup) if asked.setup else door.setup_card(customer, key=asked.key)
    except PaymentsUnavailable as error:
        if isinstance(error, KeySpent):
            _ask_anew(card)
        raise Unavailable("The payment provider does not answer; repeat with the same key.") from error
    _known(asked.card, customer, found)
    open_ = found.state in (SetupState.CARD_NEEDED, SetupState.ACTION_REQUIRED)
    return found.client_secret if open_ else None


@transactional
def _asked(card: str) -> _Setup:
    row = session.get(Card, card)
    if row is None or row.removed_at is not None:
        raise NotFound
    customer = session.get(Customer, row.person_id, populate_existing=True)
    command = session.scalar(select(PaymentCommand).where(PaymentCommand.card_id == card))
    assert customer is not None
    assert command is not None
    command.tries += 1
    command.first_tried_at = command.first_tried_at or real_now()
    return _Setup(
        card=row.id,
        person=row.person_id,
        customer=customer.external_id,
        customer_key=customer.key,
        setup=row.setup_id,
        key=command.key,
    )


@transactional
def _ask_anew(card: str) -> None:
    """A fault of the provider lies under our keys: what may have been made under them holds no card, and is left there."""
    row = _locked(card)
    customer = session.get_one(Customer, row.person_id, with_for_update=True, populate_existing=True)
    command = session.scalars(select(PaymentCommand).where(PaymentCommand.card_id == card)).one()
    if customer.external_id is None:
        customer.key = f"{customer.key.split('/')[0]}/{uuid7()}"
    command.key = f"{command.key.split('/')[0]}/{uuid7()}"


@transactional
def _known(card: str, customer: str, found: gateway.Setup) -> None:
    row = _locked(card)
    known = session.get(Customer, row.person_id, with_for_update=True)
    assert known is not None
    known.external_id = known.external_id or customer
    row.setup_id = row.setup_id or found.id
    command = session.scalar(select(PaymentCommand).where(PaymentCommand.card_id == card))
    if command is not None and command.state == commands.OPEN:
        commands.settle(command, commands.DONE, object_id=found.id)


@job("card_setup")
def card_setup(card: str) -> None:
    """Read the setup again: it may be saved by now."""
    row = _present(card)
    if row is None or row.state != PENDING:
        return
    late = clock.now() - row.made_at > SETUP_LIVES
    if row.setup_id is None:
        if late:
            give_up(card)
        return
    door = commands.door()
    found = door.setup(row.setup_id)
    if found.state is SetupState.SAVED and found.card is not None:
        save(card, door.card(found.card))
    elif found.state is SetupState.CANCELLED or late:
        give_up(card)


@transactional
def _present(card: str) -> Card | None:
    return session.get(Card, card, populate_existing=True)


@transactional
def save(card: str, found: gateway.Card) -> None:
    """The provider has saved it: from now on it can be charged."""
    row = _locked(card)
    if row.removed_at is not None or found.customer is None:
        return
    row.external_id, row.brand, row.last4 = found.id, found.brand, found.last4
    row.exp_month, row.exp_year, row.country = found.exp_month, found.exp_year, found.country
    if row.state != SAVED:
        row.state, row.saved_at = SAVED, clock.now()
        record(facts.CardSaved(row.person_id, row.id))


@transactional
def give_up(card: str) -> None:
    """Never confirmed, or cancelled there."""
    row = _locked(card)
    if row.state == PENDING:
        row.state = FAILED


def _locked(card: str) -> Card:
    found = session.get(Card, card, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found


# -- forgetting ------------------------------------------------------------------------------------------------------


@transactional
def remove(person: str, card: str) -> None:
    """Forget a card. Raises NotFound, InUse while a payment that is not over needs it."""
    row = _locked(card)
    if row.person_id != person or row.removed_at is not None:
        raise NotFound
    needs = session.scalars(
        select(Payment).where(
            Payment.card_id == card,
            Payment.owed.is_(None) | Payment.state.not_in((*TAKEN, State.RELEASED)),
        )
    ).first()
    if needs is not None:
        raise InUse("A rental that is not over is paid with this card.", by=needs.rental_id)
    row.removed_at = clock.now()
    if row.external_id is not None:
        defer("card_detach", lock=row.id, card=row.id)


@job("card_detach")
def card_detach(card: str) -> None:
    """Have the provider forget it too."""
    row = _present(card)
    if row is not None and row.external_id is not None and row.removed_at is not None:
        commands.door().detach_card(row.external_id, key=f"detach:{bare(card, 'crd')}")


def refresh(external: str) -> None:
    """The provider says that a saved card changed: a new expiry date, or gone from the customer."""
    row = _by_external(external)
    if row is None:
        return
    try:
        found = commands.door().card(external)
    except NotThere:  # refused for another reason, the card may be as good as before
        _forget(row.id)
        return
    if found.customer is None:
        _forget(row.id)
    else:
        save(row.id, found)


@transactional
def _by_external(external: str) -> Card | None:
    return session.scalar(select(Card).where(Card.external_id == external))


@transactional
def _forget(card: str) -> None:
    row = _locked(card)
    row.removed_at = row.removed_at or clock.now()
