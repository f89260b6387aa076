"""Tables of what driver and owner write to and about each other in a rental."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id
from app.rentals.models import REN

NOT, REV = "not", "rev"


class Note(Model):
    """A text between driver and owner. None: it was forgotten with whoever wrote it."""

    __tablename__ = "notes"
    id: Mapped[str] = mapped_column(PublicId(NOT), primary_key=True, default=lambda: new_id(NOT))
    rental_id: Mapped[str] = mapped_column(PublicId(REN), ForeignKey("rentals.id"), index=True)
    by_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    text: Mapped[str | None]
    made_at: Mapped[datetime]


class Review(Model):
    """What one side says of the other, once; `side` is the writer's, driver or owner."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("rental_id", "side", name="reviews_one_each_key"),
        CheckConstraint("side in ('driver', 'owner')", name="side"),
        CheckConstraint("stars between 1 and 5", name="stars"),
    )
    id: Mapped[str] = mapped_column(PublicId(REV), primary_key=True, default=lambda: new_id(REV))
    rental_id: Mapped[str] = mapped_column(PublicId(REN), ForeignKey("rentals.id"))
    side: Mapped[str]
    by_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    stars: Mapped[int]
    text: Mapped[str | None]
    made_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
