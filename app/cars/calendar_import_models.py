"""Table of imported calendars: somebody's own, in which a car's owner is busy."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from app.cars.models import CAR
from app.kit.db import Model, PublicId, new_id

IMP = "imp"


class CalendarImport(Model):
    """A person's calendar at an address, sealed, for whoever has it reads all of it. `busy` is what it said last, of `zone`.

    `read_at` is when it was read whole; at `last_sync_at` it had not changed since.
    """

    __tablename__ = "calendar_imports"
    id: Mapped[str] = mapped_column(PublicId(IMP), primary_key=True, default=lambda: new_id(IMP))
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"), index=True)
    by_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    name: Mapped[str]
    host: Mapped[str]
    url_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    asked_at: Mapped[datetime]
    zone: Mapped[str | None]
    busy: Mapped[Any] = mapped_column(TSTZMULTIRANGE)
    events: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[list[Any]] = mapped_column(JSONB)
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    read_at: Mapped[datetime | None]
    last_sync_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    error: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
