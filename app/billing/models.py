"""Tables of billing: customers, cards, payments, their commands, the ledger, what Stripe told us."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id
from payments.money import Money

CRD, PAY, PCM = "crd", "pay", "pcm"
_LIVE_ATTEMPT = "state = 'open' and kind in ('hold', 'charge')"


class Customer(Model):
    """A person as the payment provider knows them; `key` is the command that makes them there, once."""

    __tablename__ = "customers"
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    external_id: Mapped[str | None] = mapped_column(unique=True)
    made_at: Mapped[datetime]


class Card(Model):
    """A card of a person: pending until the provider has saved it."""

    __tablename__ = "cards"
    id: Mapped[str] = mapped_column(PublicId(CRD), primary_key=True, default=lambda: new_id(CRD))
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    state: Mapped[str]
    setup_id: Mapped[str | None] = mapped_column(unique=True)
    external_id: Mapped[str | None] = mapped_column(unique=True)
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    country: Mapped[str | None]
    made_at: Mapped[datetime]
    saved_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class Payment(Model):
    """One intent at the provider and our record of it. `owed` is None until the rental is over.

    Without a card: what a charge request came to, of a driver who had none that could be charged. `shares` says who gets
    what of it, as frozen with the quote; as much of `owed` as is `energy` is the payee's undivided. A deposit is kept until
    `inspect_until` after the rental, its `owed` stays None until it is decided what becomes of it. `receivable` is what the
    books hold as arrears of its driver. Written off, it bars the driver until it is paid or `bar_lifted_at`.
    """

    __tablename__ = "payments"
    __table_args__ = (
        Index("payments_one_rent_key", "rental_id", unique=True, postgresql_where=text("purpose = 'rent'")),
        Index(
            "payments_one_deposit_key", "rental_id", unique=True, postgresql_where=text("purpose = 'deposit'")
        ),
        Index("payments_open_idx", "state", "made_at"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("captured >= 0 and refunded between 0 and captured", name="refunded"),
        CheckConstraint("owed >= 0", name="owed"),
    )
    id: Mapped[str] = mapped_column(PublicId(PAY), primary_key=True, default=lambda: new_id(PAY))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), index=True)
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    community_id: Mapped[str | None] = mapped_column(PublicId("com"))
    payee: Mapped[str]
    card_id: Mapped[str | None] = mapped_column(PublicId(CRD), ForeignKey("cards.id"), index=True)
    purpose: Mapped[str]
    state: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded: Mapped[int] = mapped_column(BigInteger, default=0)
    owed: Mapped[int | None] = mapped_column(BigInteger)
    shares: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    energy: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    receivable: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    starts_at: Mapped[datetime]
    on_session: Mapped[bool]
    attempt_id: Mapped[str | None] = mapped_column(PublicId(PCM))
    intent_id: Mapped[str | None] = mapped_column(unique=True)
    charge_id: Mapped[str | None]
    capture_before: Mapped[datetime | None]
    failure_code: Mapped[str | None]
    failure_hard: Mapped[bool] = mapped_column(default=False)
    action_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    told_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    inspect_until: Mapped[datetime | None]
    written_off_at: Mapped[datetime | None]
    bar_lifted_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]

    def money(self, amount: int) -> Money:
        """That many minor units of this payment's currency."""
        return Money.from_dict({"amount": amount, "currency": self.currency})


class PaymentCommand(Model):
    """What the provider is asked to do: written first, sent under `key` until its outcome is known.

    The unique indexes make each at most once: one live attempt to hold or charge per payment, one capture and one
    release per intent, one transfer under way to the owner per payment; what was refused for good does not count.
    """

    __tablename__ = "payment_commands"
    __table_args__ = (
        Index("payment_commands_live_key", "payment_id", unique=True, postgresql_where=text(_LIVE_ATTEMPT)),
        Index(
            "payment_commands_target_key",
            "kind",
            "target",
            unique=True,
            postgresql_where=text("kind in ('capture', 'release') and state <> 'failed'"),
        ),
        Index(
            "payment_commands_transfer_open_key",
            "payment_id",
            unique=True,
            postgresql_where=text("kind = 'transfer' and state = 'open'"),
        ),
        Index("payment_commands_stuck_idx", "payment_id", postgresql_where=text("state = 'stuck'")),
        CheckConstraint("num_nonnulls(payment_id, card_id) = 1", name="one_subject"),
    )
    id: Mapped[str] = mapped_column(PublicId(PCM), primary_key=True, default=lambda: new_id(PCM))
    kind: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(PublicId(PAY), ForeignKey("payments.id"), index=True)
    card_id: Mapped[str | None] = mapped_column(PublicId(CRD), ForeignKey("cards.id"), index=True)
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    target: Mapped[str | None]
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    params_hash: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    object_id: Mapped[str | None] = mapped_column(index=True)
    error: Mapped[str | None]
    by: Mapped[str]
    made_at: Mapped[datetime]
    first_tried_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class LedgerEntry(Model):
    """One event of the books; never changed. Its postings sum to zero per currency, checked at commit."""

    __tablename__ = "ledger_entries"
    __table_args__ = (UniqueConstraint("source_type", "source_id", "kind"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    source_type: Mapped[str]
    source_id: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(PublicId(PAY), ForeignKey("payments.id"), index=True)
    rental_id: Mapped[str | None] = mapped_column(PublicId("ren"), index=True)
    fact_seq: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]


class Posting(Model):
    """One line of an entry: debit above zero, credit below; `subject` is whose account it is, where that matters."""

    __tablename__ = "postings"
    __table_args__ = (
        Index("postings_account_idx", "account", "subject", "currency"),
        CheckConstraint("amount <> 0", name="amount"),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    entry_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("ledger_entries.id"), index=True)
    account: Mapped[str]
    subject: Mapped[str | None]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]


class WebhookEvent(Model):
    """A hint of the provider that an object changed, stored once; worked off by a job."""

    __tablename__ = "webhook_events"
    __table_args__ = (UniqueConstraint("endpoint", "event_id"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    endpoint: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    object_id: Mapped[str]
    account: Mapped[str | None]
    created_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(index=True)
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class ProviderCursor(Model):
    """Up to which instant the provider's events were compared with ours."""

    __tablename__ = "provider_cursors"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
