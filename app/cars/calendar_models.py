"""Tables of a car's calendar: when it is offered, when not, and all that occupies it."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE, TSTZRANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.cars.models import CAR
from app.kit.db import Big, Model, PublicId, new_id

WIN, BLK = "win", "blk"


class Window(Model):
    """A span or rule, in the car's wall time, in which the owner offers the car."""

    __tablename__ = "windows"
    id: Mapped[str] = mapped_column(PublicId(WIN), primary_key=True, default=lambda: new_id(WIN))
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"), index=True)
    from_local: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    to_local: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    rrule: Mapped[str | None]
    exdates: Mapped[list[Any]] = mapped_column(JSONB)
    rdates: Mapped[list[Any]] = mapped_column(JSONB)


class Offer(Model):
    """What the windows of a car come to as instants, over a rolling horizon: derived, recomputed with the rule."""

    __tablename__ = "offers"
    car_no: Mapped[int] = mapped_column(ForeignKey("cars.no"), primary_key=True)
    spans: Mapped[Any] = mapped_column(TSTZMULTIRANGE)
    until: Mapped[datetime]


class Block(Model):
    """A span in which the car is not offered. `changes` counts how often it was moved or renamed, `changed_at` when last."""

    __tablename__ = "blocks"
    id: Mapped[str] = mapped_column(PublicId(BLK), primary_key=True, default=lambda: new_id(BLK))
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"), index=True)
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    kind: Mapped[str]
    note: Mapped[str | None]
    changes: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[datetime]


class Occupancy(Model):
    """All that occupies a car: rentals, their buffer, blocks. The constraint keeps any two apart."""

    __tablename__ = "occupancy"
    id: Mapped[Big] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    car_no: Mapped[int] = mapped_column(ForeignKey("cars.no"))
    kind: Mapped[str]
    ref: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    during: Mapped[Any] = mapped_column(
        TSTZRANGE, Computed("tstzrange(from_at, to_at, '[)')", persisted=True)
    )
    __table_args__ = (
        Index("occupancy_ref_idx", "ref"),
        Index("occupancy_car_idx", "car_no", "from_at"),
        CheckConstraint("from_at <= to_at", name="forward"),
        ExcludeConstraint(
            (text("int4range(car_no, car_no, '[]')"), "&&"),
            ("during", "&&"),
            name="occupancy_never_two_at_once",
            using="gist",
        ),
    )
