"""Table of damages: what is known to be wrong with a car, by whom it was seen and in which rental."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id
from app.rentals.models import REN

DMG = "dmg"


class Damage(Model):
    """`rental_id` and `before_unlock` say in which rental it was seen, and whether the car had been opened in it.

    None for a rental: its owner saw it. `text` is None once whoever wrote it was erased.
    """

    __tablename__ = "damages"
    __table_args__ = (
        Index("damages_car_idx", "car_id", "id"),
        CheckConstraint("state in ('open', 'repaired')", name="state"),
        CheckConstraint("(rental_id is null) = (before_unlock is null)", name="seen_in"),
    )
    id: Mapped[str] = mapped_column(PublicId(DMG), primary_key=True, default=lambda: new_id(DMG))
    car_id: Mapped[str] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    rental_id: Mapped[str | None] = mapped_column(PublicId(REN), ForeignKey("rentals.id"))
    by_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    before_unlock: Mapped[bool | None]
    part: Mapped[str]
    text: Mapped[str | None]
    photos: Mapped[list[Any]] = mapped_column(JSONB)
    unsafe: Mapped[bool]
    state: Mapped[str] = mapped_column(default="open")
    made_at: Mapped[datetime]
    repaired_at: Mapped[datetime | None]
