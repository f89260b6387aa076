"""Tables of rentals."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Big, Model, PublicId, new_id
from app.rentals.lifecycle import State

REN, CMD, QUO, GRT = "ren", "cmd", "quo", "grt"
OPEN = ("created", "sent")


class Quote(Model):
    """The itemised price of one rental (or extension), frozen with the terms it was made from; valid 15 minutes.

    `range_km` is how far the car was foreseen to go at the start, where a distance was stated and that could be said.
    `wait_id`: it is offered to somebody who waited, and held for them.
    `shares` says who gets what of it; `cost_left`, at cost, what the car may still bring until its cost is covered.
    """

    __tablename__ = "quotes"
    id: Mapped[str] = mapped_column(PublicId(QUO), primary_key=True, default=lambda: new_id(QUO))
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    car_id: Mapped[str] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    community_id: Mapped[str] = mapped_column(PublicId("com"), ForeignKey("communities.id"))
    rental_id: Mapped[str | None] = mapped_column(PublicId(REN))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    expected_km: Mapped[int | None]
    range_km: Mapped[int | None]
    fare: Mapped[str]
    terms_version: Mapped[int]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    price: Mapped[dict[str, Any]] = mapped_column(JSONB)
    shares: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    cost_left: Mapped[int | None] = mapped_column(BigInteger)
    conditions: Mapped[list[Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    wait_id: Mapped[str | None] = mapped_column(PublicId("wai"))


class Rental(Model):
    """From request to settlement: the one noun for booking, trip and lending.

    `towards_cost` is what it brings towards the car's cost of the year, energy apart: as quoted while it is open, as
    it came to once it is over. `instead_of_id` is the rental of the car that failed before the unlock, `back_at` when
    its driver says to be back, `failed_at` and `failed_km` when, and at which
    odometer, the car could not be used any more.
    """

    __tablename__ = "rentals"
    __table_args__ = (
        Index("rentals_car_idx", "car_id", "id"),
        Index("rentals_driver_idx", "driver_id", "id"),
        Index(
            "rentals_one_out_per_car_key",
            "car_no",
            unique=True,
            postgresql_where=text("state in ('unlocking', 'active', 'locking')"),
        ),
    )
    id: Mapped[str] = mapped_column(PublicId(REN), primary_key=True, default=lambda: new_id(REN))
    car_id: Mapped[str] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    car_no: Mapped[int]
    community_id: Mapped[str] = mapped_column(PublicId("com"), ForeignKey("communities.id"), index=True)
    driver_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    quote_id: Mapped[str] = mapped_column(PublicId(QUO), ForeignKey("quotes.id"), unique=True)
    state: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    fare: Mapped[str]
    terms_version: Mapped[int]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    price: Mapped[dict[str, Any]] = mapped_column(JSONB)
    shares: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    cost_left: Mapped[int | None] = mapped_column(BigInteger)
    towards_cost: Mapped[int | None] = mapped_column(BigInteger)
    card: Mapped[str | None]
    note: Mapped[str | None]
    made_at: Mapped[datetime]
    answer_by: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(PublicId("per"))
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False)
    meter_stopped_at: Mapped[datetime | None]
    odometer_start: Mapped[float | None]
    odometer_end: Mapped[float | None]
    charge_start: Mapped[float | None]
    charge_end: Mapped[float | None]
    keys_stated: Mapped[bool | None]
    plugged_stated: Mapped[bool | None]
    final_price: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    end_evidence: Mapped[str | None]
    ended_by: Mapped[str | None]
    extension: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    still_has_until: Mapped[datetime | None]
    late_told_at: Mapped[datetime | None]
    over_at: Mapped[datetime | None]
    kept_out_at: Mapped[datetime | None]
    receipt_told_at: Mapped[datetime | None]
    instead_of_id: Mapped[str | None] = mapped_column(PublicId(REN))
    back_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    failed_km: Mapped[float | None]

    @property
    def stands(self) -> State:
        return State(self.state)


class Command(Model):
    """One door or charge command to a car's box; sent once, at most, and never by itself again."""

    __tablename__ = "commands"
    __table_args__ = (
        Index(
            "commands_one_open_per_car_key",
            "car_no",
            unique=True,
            postgresql_where=text("state in ('created', 'sent')"),
        ),
        Index("commands_rental_idx", "rental_id", "id"),
        Index("commands_car_idx", "car_id", "id"),
    )
    id: Mapped[str] = mapped_column(PublicId(CMD), primary_key=True, default=lambda: new_id(CMD))
    car_id: Mapped[str] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    car_no: Mapped[int]
    box_id: Mapped[str] = mapped_column(PublicId("box"), ForeignKey("boxes.id"))
    rental_id: Mapped[str | None] = mapped_column(PublicId(REN), ForeignKey("rentals.id"))
    kind: Mapped[str]
    purpose: Mapped[str]
    value: Mapped[int | None]
    asked_by: Mapped[str] = mapped_column(PublicId("per"))
    asked_on: Mapped[str | None] = mapped_column(PublicId("pho"))
    asked_session: Mapped[str | None] = mapped_column(PublicId("ses"))
    state: Mapped[str]
    evidence: Mapped[str | None]
    reason: Mapped[str | None]
    problem: Mapped[str | None]
    conditions: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    sent_text: Mapped[str | None]
    answer_text: Mapped[str | None]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None]
    claimed_at: Mapped[datetime | None]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Grant(Model):
    """An offline access grant that was handed out. It may open the car until it has run out or is `dead_at`.

    Dead: the box has acknowledged its revocation, or has ended the rental. `revoked_serial` is the list that names it.
    """

    __tablename__ = "grants"
    __table_args__ = (
        Index("grants_rental_idx", "rental_id"),
        Index("grants_box_idx", "box_id", postgresql_where=text("dead_at is null")),
    )
    id: Mapped[str] = mapped_column(PublicId(GRT), primary_key=True, default=lambda: new_id(GRT))
    rental_id: Mapped[str] = mapped_column(PublicId(REN), ForeignKey("rentals.id"))
    box_id: Mapped[str] = mapped_column(PublicId("box"), ForeignKey("boxes.id"))
    phone_id: Mapped[str] = mapped_column(PublicId("pho"), ForeignKey("phones.id"), index=True)
    kid: Mapped[str]
    floor: Mapped[int]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_for: Mapped[str | None]
    revoked_serial: Mapped[int | None]
    dead_at: Mapped[datetime | None]

    @property
    def number(self) -> bytes:
        """The 16 bytes by which box and receipts name it."""
        return bytes.fromhex(self.id.removeprefix(f"{GRT}_"))


class OfflineReceipt(Model):
    """What a box did under a grant, as it signed it. `box_time` is its claim, `at` the instant that counts, once settled."""

    __tablename__ = "offline_receipts"
    __table_args__ = (
        Index("offline_receipts_rental_idx", "rental_id"),
        Index("offline_receipts_waiting_idx", "box_id", "sequence", postgresql_where=text("at is null")),
    )
    box_id: Mapped[str] = mapped_column(PublicId("box"), ForeignKey("boxes.id"), primary_key=True)
    sequence: Mapped[Big] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    grant_id: Mapped[str] = mapped_column(PublicId(GRT), ForeignKey("grants.id"))
    rental_id: Mapped[str] = mapped_column(PublicId(REN), ForeignKey("rentals.id"))
    operation: Mapped[str]
    box_time: Mapped[datetime]
    locked: Mapped[bool]
    odometer_km: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    received_from: Mapped[str | None] = mapped_column(PublicId("per"))
    at: Mapped[datetime | None]
