"""The table of charge requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.claims.charge_rules import Kind, State
from app.kit.db import Model, PublicId, new_id

CHR = "chr"


class ChargeRequest(Model):
    """What an owner asks a driver to pay after a rental, with its hearing.

    `decided_*` is the first decision, `final_*` the one after an appeal. On closing, once, it is taken of the deposit where
    that is held; the payment is for what that did not bring.
    """

    __tablename__ = "charge_requests"
    __table_args__ = (
        Index("charge_requests_state_idx", "state", "id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("decided_amount between 0 and amount", name="decided_amount"),
        CheckConstraint("final_amount between 0 and amount", name="final_amount"),
        CheckConstraint("payment_id is null or state = 'closed'", name="paid_when_closed"),
        CheckConstraint("deposit_id is null or state = 'closed'", name="taken_when_closed"),
    )
    id: Mapped[str] = mapped_column(PublicId(CHR), primary_key=True, default=lambda: new_id(CHR))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), ForeignKey("rentals.id"), index=True)
    driver_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    made_by: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    payee: Mapped[str]
    kind: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str]
    occurred_at: Mapped[datetime]
    document: Mapped[str | None]
    document_amount: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    made_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    accepted: Mapped[bool | None]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    photos: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default="[]")
    answer_photos: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default="[]")
    decided_amount: Mapped[int | None] = mapped_column(BigInteger)
    decided_reason: Mapped[str | None]
    decided_by: Mapped[str | None] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]
    appealed_by: Mapped[str | None]
    appeal: Mapped[str | None]
    appealed_at: Mapped[datetime | None]
    final_amount: Mapped[int | None] = mapped_column(BigInteger)
    final_reason: Mapped[str | None]
    final_by: Mapped[str | None] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    final_at: Mapped[datetime | None]
    charge_not_before: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    deposit_id: Mapped[str | None] = mapped_column(PublicId("pay"), ForeignKey("payments.id"), unique=True)
    payment_id: Mapped[str | None] = mapped_column(PublicId("pay"), ForeignKey("payments.id"), unique=True)

    @property
    def stands(self) -> State:
        return State(self.state)

    @property
    def about(self) -> Kind:
        return Kind(self.kind)

    @property
    def owed(self) -> int:
        """What the driver owes as it stands: by the last decision, else what was asked. Minor units."""
        decided = self.final_amount if self.final_amount is not None else self.decided_amount
        return self.amount if decided is None else decided
