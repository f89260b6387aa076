"""The table of how cars were used under their covers, and where the log is asked for what befell a car."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.coverage.models import COV
from app.kit.db import Model, PublicId
from app.kit.facts import FactRow

KINDS = ("AlarmSounded", "CarCarried", "DoorLeftOpen", "TwelveVoltLow", "TyreSoft")
"""What a box tells that may have to do with damage."""
BEFELL = "kind in ({})".format(", ".join(f"'{kind}'" for kind in KINDS))
Index("facts_befell_idx", FactRow.data["car"].astext, FactRow.at, postgresql_where=text(BEFELL))


class CoverUse(Model):
    """How the car was used under a cover, derived when it was closed, and anew when its end was corrected."""

    __tablename__ = "cover_use"
    cover_id: Mapped[str] = mapped_column(PublicId(COV), ForeignKey("covers.id"), primary_key=True)
    version: Mapped[int]
    derived_at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
