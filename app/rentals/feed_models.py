"""Table of calendar feeds: secret addresses at which a calendar program reads somebody's rentals."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id

FED = "fed"


class CalendarFeed(Model):
    """One person's rentals as driver, or, with `car_id`, the calendar of that car. Of its secret only a hash is kept."""

    __tablename__ = "calendar_feeds"
    id: Mapped[str] = mapped_column(PublicId(FED), primary_key=True, default=lambda: new_id(FED))
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    car_id: Mapped[str | None] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[datetime]
