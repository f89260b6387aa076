"""Tables of receipts and credit notes: their rows never change, their numbers have no gaps."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id
from payments.money import Money

DOC = "doc"


class DocumentSeries(Model):
    """One issuer's numbers of one year (GLV-FR-2026): the last one given, when, and the hash of its document."""

    __tablename__ = "document_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]
    last_at: Mapped[datetime]
    head: Mapped[bytes] = mapped_column(LargeBinary)


class Document(Model):
    """A receipt (amount above zero) or a credit note (below) as it was issued.

    `payload` is all that its paper shows, in words of the code and minor units; `hash` also covers the document before
    it in its series. `part` says what of a rental it is about: its price, or the charge requests after it.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("series", "no"),
        Index("documents_rental_idx", "rental_id", "id"),
        CheckConstraint("no > 0", name="no"),
        CheckConstraint(
            text(
                "case kind when 'receipt' then amount > 0 when 'credit_note' then amount < 0 else false end"
            ),
            name="kind",
        ),
        CheckConstraint(text("(kind = 'credit_note') = (corrects_id is not null)"), name="corrects"),
    )
    id: Mapped[str] = mapped_column(PublicId(DOC), primary_key=True, default=lambda: new_id(DOC))
    series: Mapped[str] = mapped_column(ForeignKey("document_series.name"))
    no: Mapped[int]
    kind: Mapped[str]
    rental_id: Mapped[str] = mapped_column(PublicId("ren"))
    part: Mapped[str]
    corrects_id: Mapped[str | None] = mapped_column(PublicId(DOC), ForeignKey("documents.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]

    @property
    def number(self) -> str:
        return f"{self.series}-{self.no:06d}"

    @property
    def money(self) -> Money:
        return Money.from_dict({"amount": self.amount, "currency": self.currency})
