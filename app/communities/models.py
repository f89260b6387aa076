"""Tables of communities."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id

COM, INV, MEM = "com", "inv", "mem"
RULES: dict[str, Any] = {
    "approval": "always",
    "photos": "none",
    "days_ahead": 90,
    "per_week": 0,
    "may_invite": "owner",
    "recheck_months": 6,
}


class Community(Model):
    """A circle of people and the cars shared with them."""

    __tablename__ = "communities"
    id: Mapped[str] = mapped_column(PublicId(COM), primary_key=True, default=lambda: new_id(COM))
    name: Mapped[str]
    kind: Mapped[str]
    rules: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_by: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    def rule(self, name: str) -> Any:
        return {**RULES, **self.rules}[name]


class Membership(Model):
    """A person in a community, with a role and a fare; ended rows stay."""

    __tablename__ = "memberships"
    __table_args__ = (
        Index(
            "memberships_one_live_key",
            "community_id",
            "person_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        Index("memberships_of_person_idx", "person_id"),
    )
    id: Mapped[str] = mapped_column(PublicId(MEM), primary_key=True, default=lambda: new_id(MEM))
    community_id: Mapped[str] = mapped_column(PublicId(COM), ForeignKey("communities.id"))
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    role: Mapped[str]
    fare: Mapped[str]
    label: Mapped[str | None]
    blocked: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Invitation(Model):
    """A link or code that makes a membership; its code is stored hashed, 128 bits of an HMAC of the row's id."""

    __tablename__ = "invitations"
    id: Mapped[str] = mapped_column(PublicId(INV), primary_key=True, default=lambda: new_id(INV))
    community_id: Mapped[str] = mapped_column(PublicId(COM), ForeignKey("communities.id"), index=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email: Mapped[str | None]
    label: Mapped[str | None]
    role: Mapped[str]
    fare: Mapped[str]
    uses: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)
    invited_by: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
