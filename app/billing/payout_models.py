"""Tables of paying owners, of disputes and of early-fraud warnings."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.billing.models import PAY
from app.kit.db import Model, PublicId, new_id
from payments.money import Money

TRF, DSP, FRW = "trf", "dsp", "frw"


class Account:
    """Where an owner is paid; `key` is the command that makes the account, once. `missing`: what is still asked for."""

    key: Mapped[str] = mapped_column(unique=True)
    country: Mapped[str]
    external_id: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str]
    missing: Mapped[list[Any]]
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PayoutAccount(Account, Model):
    """Of a person."""

    __tablename__ = "payout_accounts"
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), primary_key=True)

    @property
    def payee(self) -> str:
        return self.person_id


class CommunityPayoutAccount(Account, Model):
    """Of a community, whoever owns it."""

    __tablename__ = "community_payout_accounts"
    community_id: Mapped[str] = mapped_column(PublicId("com"), ForeignKey("communities.id"), primary_key=True)

    @property
    def payee(self) -> str:
        return self.community_id


class Transfer(Model):
    """What an owner is paid of one payment. `amount` was sent, of which `reversed` came back.

    It may be sent in parts: `external_id` is the newest, the commands know all.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        Index(
            "transfers_unsent_idx", "payee", postgresql_where=text("state in ('waiting', 'payable_blocked')")
        ),
        Index("transfers_payee_idx", "payee", "currency"),
        CheckConstraint("reversed between 0 and amount", name="reversed"),
    )
    id: Mapped[str] = mapped_column(PublicId(TRF), primary_key=True, default=lambda: new_id(TRF))
    payment_id: Mapped[str] = mapped_column(PublicId(PAY), ForeignKey("payments.id"), unique=True)
    rental_id: Mapped[str] = mapped_column(PublicId("ren"))
    payee: Mapped[str]
    state: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger, default=0)
    reversed: Mapped[int] = mapped_column(BigInteger, default=0)
    external_id: Mapped[str | None] = mapped_column(unique=True)
    due_at: Mapped[datetime]
    told_blocked_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]

    def money(self, amount: int) -> Money:
        """That many minor units of its currency."""
        return Money.from_dict({"amount": amount, "currency": self.currency})


class BankPayout(Model):
    """Money on its way from an owner's account to their bank, as far as we were told of it."""

    __tablename__ = "bank_payouts"
    external_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str | None] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    community_id: Mapped[str | None] = mapped_column(
        PublicId("com"), ForeignKey("communities.id"), index=True
    )
    state: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    failure: Mapped[str | None]
    changed_at: Mapped[datetime]


class Dispute(Model):
    """A cardholder disputes a payment; `key` is the command that sends our evidence once, and anew after a mere inquiry.

    `borne_by`: who bears the owner's share when it is lost, the platform unless an operator says that the owner caused it.
    """

    __tablename__ = "disputes"
    __table_args__ = (Index("disputes_state_idx", "state"),)
    id: Mapped[str] = mapped_column(PublicId(DSP), primary_key=True, default=lambda: new_id(DSP))
    payment_id: Mapped[str] = mapped_column(PublicId(PAY), ForeignKey("payments.id"), index=True)
    rental_id: Mapped[str] = mapped_column(PublicId("ren"))
    external_id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]
    reason: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    refundable: Mapped[bool]
    borne_by: Mapped[str]
    answer_by: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any] | None]
    evidence_sent_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class FraudWarning(Model):
    """A bank says that a payment is probably fraud: the driver unlocks nothing priced until an operator has looked."""

    __tablename__ = "fraud_warnings"
    __table_args__ = (
        Index("fraud_warnings_open_idx", "person_id", postgresql_where=text("cleared_at is null")),
    )
    id: Mapped[str] = mapped_column(PublicId(FRW), primary_key=True, default=lambda: new_id(FRW))
    payment_id: Mapped[str] = mapped_column(PublicId(PAY), ForeignKey("payments.id"), index=True)
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    external_id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    made_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    cleared_by: Mapped[str | None]
