"""Tables of messages: what a person is told about a fact, one delivery per phone and mail, and how they want it."""

from datetime import datetime, time
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Big, Model, PublicId, new_id
from app.kit.facts import FactRow

MSG, DLV = "msg", "dlv"

Index(
    "facts_rental_idx",
    FactRow.data["rental"].astext,
    FactRow.seq,
    postgresql_where=FactRow.data["rental"].astext.is_not(None),
)
"""A rental's timeline is read from the facts themselves; the index stands with its only reader."""


class Message(Model):
    """One person is told one thing about one fact, once. Kept as kind and ids; the words are put in at each reading.

    `person_id` is None for somebody who is invited and has no account yet. `received_at` is when their app had it, by
    its own word or because it asked for it; `read_at` when the person opened it.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint(
            "fact_seq",
            "person_id",
            "kind",
            name="messages_told_once_key",
            postgresql_nulls_not_distinct=True,
        ),
        Index("messages_person_idx", "person_id", "id"),
        Index("messages_unread_idx", "person_id", "id", postgresql_where=text("read_at is null")),
    )
    id: Mapped[str] = mapped_column(PublicId(MSG), primary_key=True, default=lambda: new_id(MSG))
    person_id: Mapped[str | None] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    fact_seq: Mapped[Big]
    kind: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    rental_id: Mapped[str | None] = mapped_column(PublicId("ren"))
    urgent: Mapped[bool]
    made_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]


class Delivery(Model):
    """A message on its way to one phone or mail address; of the address only a hash is kept.

    A push that may go out has `try_at`, in real time: when it may be tried (again), or, while a worker has it in hand,
    when that one is given up. None: it waits for something else, or is done. It goes `ahead` of others if it is urgent, or
    if something urgent waits behind it for the same phone.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint(
            "message_id",
            "channel",
            "phone_id",
            name="deliveries_one_each_key",
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "deliveries_digest_idx",
            "person_id",
            "message_id",
            postgresql_where=text("digest and state = 'waiting'"),
        ),
        Index(
            "deliveries_ahead_idx", text("ahead desc"), "try_at", postgresql_where=text("try_at is not null")
        ),
        Index("deliveries_phone_outbox_idx", "phone_id", "id", postgresql_where=text("try_at is not null")),
        Index("deliveries_gathered_idx", "gathered_in", postgresql_where=text("gathered_in is not null")),
        Index(
            "deliveries_phone_sent_idx",
            "phone_id",
            "at",
            postgresql_where=text("phone_id is not null and state = 'sent'"),
        ),
    )
    id: Mapped[str] = mapped_column(PublicId(DLV), primary_key=True, default=lambda: new_id(DLV))
    message_id: Mapped[str] = mapped_column(PublicId(MSG), ForeignKey("messages.id"))
    person_id: Mapped[str | None] = mapped_column(PublicId("per"))
    channel: Mapped[str]
    phone_id: Mapped[str | None] = mapped_column(PublicId("pho"))
    address_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    address_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="waiting")
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
    try_at: Mapped[datetime | None]
    ahead: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    tried_since: Mapped[datetime | None]
    gathered_in: Mapped[str | None] = mapped_column(PublicId(DLV))


class Preferences(Model):
    """How a person wants to be told: quiet hours in their own wall time, channels, news one by one or once a day."""

    __tablename__ = "message_preferences"
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), primary_key=True)
    quiet_from: Mapped[time | None]
    quiet_to: Mapped[time | None]
    channels: Mapped[list[Any]] = mapped_column(JSONB)
    digest: Mapped[str]
    topics: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", default=dict)
