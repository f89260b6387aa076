"""Tables of who drives: drivers named besides who booked, and what the licence of each said."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id

NDR, LCK = "ndr", "lck"


class NamedDriver(Model):
    """Somebody who may drive during a rental that another booked, from when they are named until they are taken off.

    Named anew, they have another row. Under a cover the row counts for what it shares with the cover's span.
    """

    __tablename__ = "named_drivers"
    id: Mapped[str] = mapped_column(PublicId(NDR), primary_key=True, default=lambda: new_id(NDR))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), index=True)
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    named_at: Mapped[datetime]
    taken_off_at: Mapped[datetime | None]
    taken_off_by: Mapped[str | None]
    __table_args__ = (
        Index(
            "named_drivers_once_key",
            "rental_id",
            "person_id",
            unique=True,
            postgresql_where=text("taken_off_at is null"),
        ),
    )


class LicenceCheck(Model):
    """What the licence of somebody who was about to be insured said, sealed; one row for each time that it was looked at.

    It goes when nothing is kept of who they were any more.
    """

    __tablename__ = "licence_checks"
    id: Mapped[str] = mapped_column(PublicId(LCK), primary_key=True, default=lambda: new_id(LCK))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), index=True)
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    looked_at: Mapped[datetime]
    said_sealed: Mapped[bytes] = mapped_column(LargeBinary)
