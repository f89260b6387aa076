"""Tables of bordereaux: what was handed out of each month, and what each cover was last reported as."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.coverage.models import COV, INS
from app.kit.db import Big, Model, PublicId, new_id

BDX = "bdx"


class Bordereau(Model):
    """A month of a master policy as it was handed out; once whole, neither it nor its rows ever change.

    One that is not is being written, or was broken off: nobody is shown it, and it is begun anew.
    """

    __tablename__ = "bordereaux"
    __table_args__ = (UniqueConstraint("insurer_id", "number", "month", "kind"),)
    id: Mapped[str] = mapped_column(PublicId(BDX), primary_key=True, default=lambda: new_id(BDX))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    number: Mapped[str]
    month: Mapped[str]
    kind: Mapped[str]
    closed_at: Mapped[datetime]
    csv_head: Mapped[str]
    lines: Mapped[int]
    csv_sha256: Mapped[str]
    json_sha256: Mapped[str]
    whole: Mapped[bool] = mapped_column(server_default="true")


class BordereauRow(Model):
    """One line of a bordereau, in both forms, byte by byte as it is handed out."""

    __tablename__ = "bordereau_rows"
    bordereau_id: Mapped[str] = mapped_column(PublicId(BDX), ForeignKey("bordereaux.id"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cover_id: Mapped[str] = mapped_column(PublicId(COV), index=True)
    csv: Mapped[str]
    json: Mapped[str]


class CoverReported(Model):
    """What a cover was reported as, once for each bordereau that told of it: its version, and the premium of all its lines
    so far, in minor units. The last one counts. What was reported before bordereaux were noted here names none.
    """

    __tablename__ = "covers_reported"
    cover_id: Mapped[str] = mapped_column(PublicId(COV), ForeignKey("covers.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    premium: Mapped[Big | None]
    voided: Mapped[bool]
    bordereau_id: Mapped[str | None] = mapped_column(PublicId(BDX), ForeignKey("bordereaux.id"), index=True)
