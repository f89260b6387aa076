"""The table of photos."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id

PIC = "pic"


class Photo(Model):
    """A photo of the car, of one rental. The picture lies in the storage; what was sent is known by its hash alone.

    `received_at` is ours, `taken_at` what the camera claimed.
    """

    __tablename__ = "photos"
    __table_args__ = (
        Index("photos_rental_sent_key", "rental_id", "step", "angle", "sent_sha256", unique=True),
        Index("photos_added_by_idx", "added_by"),
    )
    id: Mapped[str] = mapped_column(PublicId(PIC), primary_key=True, default=lambda: new_id(PIC))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), ForeignKey("rentals.id"))
    added_by: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    role: Mapped[str]
    step: Mapped[str]
    angle: Mapped[str]
    sha256: Mapped[str]
    sent_sha256: Mapped[str]
    bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    taken_at: Mapped[datetime | None]
    received_at: Mapped[datetime]

    @property
    def file(self) -> str:
        """Its name in the storage: by its hash, and its own, so that nobody ever writes it twice."""
        return file_of(self.sha256, self.id)


def file_of(sha256: str, photo: str) -> str:
    return f"{sha256[:2]}/{sha256}-{photo.removeprefix(f'{PIC}_')}"
