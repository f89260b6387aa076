"""Tables of cars."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Big, Model, PublicId, new_id

CAR, BOX = "car", "box"


class Car(Model):
    """The vehicle. `no` is the short number that the occupancy constraint and the hot queries use.

    `unsafe`: nobody unlocks it, since an operator `barred` it, it was stolen, or a damage says so.
    `stop_told_in` is the year for which its owner was told last that its cost is covered, or not stated.
    """

    __tablename__ = "cars"
    __table_args__ = (
        CheckConstraint("num_nonnulls(owner_id, community_id) = 1", name="one_holder"),
        Index("cars_vin_once_key", "vin", unique=True, postgresql_where=text("removed_at is null")),
    )
    id: Mapped[str] = mapped_column(PublicId(CAR), primary_key=True, default=lambda: new_id(CAR))
    no: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    owner_id: Mapped[str | None] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    community_id: Mapped[str | None] = mapped_column(
        PublicId("com"), ForeignKey("communities.id"), index=True
    )
    plate: Mapped[str]
    vin: Mapped[str]
    make: Mapped[str]
    model: Mapped[str]
    powertrain: Mapped[str]
    seats: Mapped[int]
    country: Mapped[str]
    time_zone: Mapped[str]
    home_lat: Mapped[float]
    home_lon: Mapped[float]
    home_label: Mapped[str]
    blur_lat: Mapped[float]
    blur_lon: Mapped[float]
    return_rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    note: Mapped[str | None]
    charge_rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    yearly_cost: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    stop_told_in: Mapped[int | None]
    first_registration: Mapped[date | None]
    inspection_until: Mapped[date | None]
    declared_value: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    unsafe: Mapped[bool] = mapped_column(default=False)
    barred: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Plate(Model):
    """Which car wore a plate when; no two at once."""

    __tablename__ = "plates"
    id: Mapped[Big] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    car_no: Mapped[int] = mapped_column(ForeignKey("cars.no"), index=True)
    country: Mapped[str]
    normalised: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    during: Mapped[Any] = mapped_column(
        TSTZRANGE, Computed("tstzrange(from_at, to_at, '[)')", persisted=True)
    )
    __table_args__ = (
        Index("plates_lookup_idx", "country", "normalised", "from_at"),
        ExcludeConstraint(
            (
                text(
                    "int8range(hashtextextended(country || ':' || normalised, 0),"
                    " hashtextextended(country || ':' || normalised, 0), '[]')"
                ),
                "&&",
            ),
            ("during", "&&"),
            name="plates_one_car_at_once",
            using="gist",
        ),
    )


class CarShare(Model):
    """A car shared with a community."""

    __tablename__ = "car_shares"
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"), primary_key=True)
    community_id: Mapped[str] = mapped_column(
        PublicId("com"), ForeignKey("communities.id"), primary_key=True, index=True
    )
    shared_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Terms(Model):
    """One version of the price and rules of a car for a community; never changed."""

    __tablename__ = "terms"
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"), primary_key=True)
    community_id: Mapped[str] = mapped_column(PublicId("com"), ForeignKey("communities.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_by: Mapped[str] = mapped_column(PublicId("per"))
    made_at: Mapped[datetime]


class Custody(Model):
    """Who held the car from when to when, as known now: the spans of a car follow each other without gap or overlap, which
    the database looks at when a transaction commits. A late record changes them; what was known before is in the entries.
    """

    __tablename__ = "custody"
    id: Mapped[Big] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    car_no: Mapped[int] = mapped_column(ForeignKey("cars.no"))
    holder: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(PublicId("per"))
    rental_id: Mapped[str | None] = mapped_column(PublicId("ren"))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    __table_args__ = (
        Index("custody_at_idx", "car_no", "from_at"),
        Index("custody_one_open_key", "car_no", unique=True, postgresql_where=text("to_at is null")),
    )


class CustodyEntry(Model):
    """One thing we came to know of a car's custody: who held it in a span. The newest entry that holds an instant counts.

    The database writes one for each row of `custody` that is new or reaches further, with the fact that binds it, and
    refuses to change or delete any.
    """

    __tablename__ = "custody_entries"
    car_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fact_seq: Mapped[Big] = mapped_column(BigInteger, unique=True)
    holder: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(PublicId("per"))
    rental_id: Mapped[str | None] = mapped_column(PublicId("ren"))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime]


class Box(Model):
    """The connected car box: its account at the broker, its wiring, and when it was last heard.

    `watch` is what its alerts remember: `alerts` {cause: since, rental, owner}, the last `hour` noted, whether the car was
    `used` in it, and since when a door is open (`door_since`); and the `country` of its last position {code, since, judged}.
    `replaces_id` is set while it waits for the broker to know it: until then the box it replaces is the car's.
    `next_username` is its second account while its password is changed. `loaded_at`: when the broker took the account
    that was made last; `cut_at`: when it had let go of a box that was taken out.
    """

    __tablename__ = "boxes"
    __table_args__ = (
        Index(
            "boxes_one_live_key",
            "car_id",
            unique=True,
            postgresql_where=text("removed_at is null and replaces_id is null"),
        ),
        Index(
            "boxes_one_pending_key",
            "car_id",
            unique=True,
            postgresql_where=text("removed_at is null and replaces_id is not null"),
        ),
        CheckConstraint("(next_username is null) = (next_password_hash is null)", name="next_account_whole"),
    )
    id: Mapped[str] = mapped_column(PublicId(BOX), primary_key=True, default=lambda: new_id(BOX))
    car_id: Mapped[str] = mapped_column(PublicId(CAR), ForeignKey("cars.id"))
    kind: Mapped[str]
    username: Mapped[str] = mapped_column(unique=True)
    vehicle: Mapped[str]
    password_hash: Mapped[str]
    next_username: Mapped[str | None] = mapped_column(unique=True)
    next_password_hash: Mapped[str | None]
    has_immobiliser: Mapped[bool]
    key_sensor: Mapped[bool]
    config: Mapped[dict[str, Any]] = mapped_column(JSONB)
    pin_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    loaded_at: Mapped[datetime | None]
    last_heard_at: Mapped[datetime | None]
    connected: Mapped[bool] = mapped_column(default=False)
    state: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    capabilities: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    # what was told of a low charge is in `watch`; the release before still writes this, a later migration drops it
    told_charge_low: Mapped[bool] = mapped_column(default=False)
    told_offline: Mapped[bool] = mapped_column(default=False)
    watch: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    replaces_id: Mapped[str | None] = mapped_column(PublicId(BOX))
    made_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    cut_at: Mapped[datetime | None]


class HourlyReading(Model):
    """The first charge and resting 12 V reading of an hour, for trend and forecast; no place, deleted after 60 days.

    Without a foreign key: its check would wait for the car's row while the box's is locked, against the order of the steps.
    """

    __tablename__ = "hourly_readings"
    car_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    charge_percent: Mapped[float | None]
    battery_12v: Mapped[float | None]
    plugged: Mapped[bool | None]
    charging: Mapped[bool | None]
    battery_celsius: Mapped[float | None]
    used: Mapped[bool]


class Reachability(Model):
    """Hours in which a parked box was heard and was not, per place; the place is a keyed hash."""

    __tablename__ = "reachability"
    car_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cell: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seen: Mapped[int]
    unseen: Mapped[int]
    visited_on: Mapped[date] = mapped_column(index=True)


class Companion(Model):
    """What stands beside a box and checks offline grants: the id and key it proved at pairing, and what it goes by.

    `serial` numbers the lists of revocations made for it, `acked_serial` the newest it has taken, with `acked_sequence`
    receipts written before. `settled_sequence` is the last receipt that has become custody and cover.
    """

    __tablename__ = "companions"
    box_id: Mapped[str] = mapped_column(PublicId(BOX), ForeignKey("boxes.id"), primary_key=True)
    hardware_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    floor: Mapped[int] = mapped_column(default=0)
    serial: Mapped[int] = mapped_column(default=0)
    next_kid: Mapped[str]
    acked_serial: Mapped[int] = mapped_column(default=0)
    acked_sequence: Mapped[Big] = mapped_column(BigInteger, default=0)
    settled_sequence: Mapped[Big] = mapped_column(BigInteger, default=0)
    made_at: Mapped[datetime]
