"""Tables of webhooks: insurers' endpoints, and what they have not taken yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.coverage.models import INS
from app.kit.db import Big, Model, PublicId, new_id

WHK = "whk"


class Webhook(Model):
    """An insurer's endpoint for changes; no `events`: all. The secret before signs too until `old_until`."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(PublicId(WHK), primary_key=True, default=lambda: new_id(WHK))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"), index=True)
    url: Mapped[str]
    events: Mapped[list[Any]] = mapped_column(JSONB)
    state: Mapped[str]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_until: Mapped[datetime | None]
    made_at: Mapped[datetime]
    last_success_at: Mapped[datetime | None]
    last_status: Mapped[str | None]
    __table_args__ = (CheckConstraint("state in ('enabled', 'disabled')", name="state"),)


class WebhookDelivery(Model):
    """A version of a cover, by its fact, that an endpoint has not taken yet; the row goes when it has."""

    __tablename__ = "webhook_deliveries"
    webhook_id: Mapped[str] = mapped_column(PublicId(WHK), ForeignKey("webhooks.id"), primary_key=True)
    fact_seq: Mapped[Big] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tries: Mapped[int]
