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


class CommunityTaxDetails(Model):
    """Who stands behind a community that earns: an organisation, or who answers for it. Sealed as a person's are."""

    __tablename__ = "community_tax_details"
    community_id: Mapped[str] = mapped_column(PublicId("com"), ForeignKey("communities.id"), primary_key=True)
    legal_name: Mapped[str | None]
    address: Mapped[str | None]
    country: Mapped[str | None]
    registration_number: Mapped[str | None]
    vat_number: Mapped[str | None]
    tin_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    tin_end: Mapped[str | None]
    tin_country: Mapped[str | None]
    iban_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    iban_end: Mapped[str | None]
    changed_at: Mapped[datetime]
