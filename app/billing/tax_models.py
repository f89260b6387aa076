"""What tax law wants to know of who earns here (DAC7), beyond the account itself."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId


class TaxDetails(Model):
    """A person's tax number, or where they were born when they have none; number and account are sealed."""

    __tablename__ = "tax_details"
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), primary_key=True)
    tin_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    tin_end: Mapped[str | None]
    tin_country: Mapped[str | None]
    birth_place: Mapped[str | None]
    vat_number: Mapped[str | None]
    iban_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    iban_end: Mapped[str | None]
    changed_at: Mapped[datetime]
