"""Table of waits: who would like a car, or any of a community, for a span in which none is free."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id
from app.rentals.models import QUO

WAI = "wai"
STANDS = ("waiting", "offered")


class Wait(Model):
    """Of one car or of a community's. What was offered last, and until when it may be answered, stays."""

    __tablename__ = "waits"
    __table_args__ = (
        CheckConstraint("num_nonnulls(car_id, community_id) = 1", name="for_one"),
        CheckConstraint("state in ('waiting', 'offered', 'taken', 'lapsed')", name="state"),
        Index("waits_car_idx", "car_id", postgresql_where=text("state = 'waiting'")),
        Index("waits_community_idx", "community_id", postgresql_where=text("state = 'waiting'")),
    )
    id: Mapped[str] = mapped_column(PublicId(WAI), primary_key=True, default=lambda: new_id(WAI))
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    car_id: Mapped[str | None] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    community_id: Mapped[str | None] = mapped_column(PublicId("com"), ForeignKey("communities.id"))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    state: Mapped[str]
    quote_id: Mapped[str | None] = mapped_column(PublicId(QUO), ForeignKey("quotes.id"), unique=True)
    offered_car_id: Mapped[str | None] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    answer_by: Mapped[datetime | None]
    made_at: Mapped[datetime]
