"""Tables of coverage: insurers and their clients, master policies, covers and every version of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.cars.models import Car
from app.kit.db import Big, Model, PublicId, new_id
from app.kit.facts import FactRow

INS, CLI, POL, COV, CRT = "ins", "cli", "pol", "cov", "crt"

# An insurer asks by VIN, and as of an instant: both are looked up in tables of the packages below.
Index("cars_vin_idx", Car.vin)
Index("facts_sealed_idx", FactRow.sealed_at, FactRow.position)


class InsurerRow(Model):
    """An insurer we have a contract with."""

    __tablename__ = "insurers"
    id: Mapped[str] = mapped_column(PublicId(INS), primary_key=True, default=lambda: new_id(INS))
    name: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]


class Client(Model):
    """A program of an insurer's that asks us: a hashed secret, or public keys, and what it may do."""

    __tablename__ = "partner_clients"
    id: Mapped[str] = mapped_column(PublicId(CLI), primary_key=True, default=lambda: new_id(CLI))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"), index=True)
    label: Mapped[str]
    scopes: Mapped[list[Any]] = mapped_column(JSONB)
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    public_keys: Mapped[list[Any]] = mapped_column(JSONB)
    certificate_sha256: Mapped[str | None]
    made_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AssertionUsed(Model):
    """A signed client assertion that has been used: none is taken twice."""

    __tablename__ = "partner_assertions"
    client_id: Mapped[str] = mapped_column(PublicId(CLI), ForeignKey("partner_clients.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Policy(Model):
    """One version of a master policy, as its JSON said when it was added; it never changes."""

    __tablename__ = "master_policies"
    __table_args__ = (UniqueConstraint("insurer_id", "number", "version"),)
    id: Mapped[str] = mapped_column(PublicId(POL), primary_key=True, default=lambda: new_id(POL))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    number: Mapped[str]
    version: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime]


class PolicyInForce(Model):
    """The span in which covers of a country are bound under a policy; one policy per country at an instant."""

    __tablename__ = "policies_in_force"
    id: Mapped[Big] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    policy_id: Mapped[str] = mapped_column(PublicId(POL), ForeignKey("master_policies.id"), index=True)
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    country: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    during: Mapped[Any] = mapped_column(
        TSTZRANGE, Computed("tstzrange(from_at, to_at, '[)')", persisted=True)
    )
    __table_args__ = (
        Index("policies_in_force_at_idx", "country", "from_at"),
        CheckConstraint("from_at <= to_at", name="forward"),
        ExcludeConstraint(
            (
                text("int8range(hashtextextended(country, 0), hashtextextended(country, 0), '[]')"),
                "&&",
            ),
            ("during", "&&"),
            name="policies_in_force_one_at_once",
            using="gist",
        ),
    )


class Cover(Model):
    """An insurer's cover for one custody period, as it stands; liability is [from_at, to_at), open while the car is out.

    `from_at` changes only when a box's record comes late. A void cover is a span of no length, and so is a conditional
    one until the box's record of an unlock gives it its span: it holds for what an offline grant may open, at the latest
    to `conditional_to`. Money is minor units of `currency`. Where the policy charges per kilometre, `charged_km` counts
    them, and `km_from` says how: by the odometer, or by hours where it was not told. `time_zone` is the car's when the
    cover was given; covers of a time before that was kept have none.
    """

    __tablename__ = "covers"
    id: Mapped[str] = mapped_column(PublicId(COV), primary_key=True, default=lambda: new_id(COV))
    certificate_id: Mapped[str] = mapped_column(PublicId(CRT), unique=True, default=lambda: new_id(CRT))
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), index=True)
    car_no: Mapped[int] = mapped_column(ForeignKey("cars.no"))
    car_id: Mapped[str] = mapped_column(PublicId("car"), ForeignKey("cars.id"))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    policy_id: Mapped[str] = mapped_column(PublicId(POL), ForeignKey("master_policies.id"))
    driver_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), index=True)
    driver_ref: Mapped[str]
    community_id: Mapped[str] = mapped_column(PublicId("com"))
    car: Mapped[dict[str, Any]] = mapped_column(JSONB)
    time_zone: Mapped[str | None]
    declared_value: Mapped[Big | None]
    currency: Mapped[str]
    state: Mapped[str]
    version: Mapped[int]
    recorded_at: Mapped[datetime]
    planned_from: Mapped[datetime]
    planned_to: Mapped[datetime]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    own_damage_to: Mapped[datetime | None]
    conditional_to: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    overrun_at: Mapped[datetime | None]
    reported_late_at: Mapped[datetime | None]
    odometer_start_km: Mapped[int | None]
    odometer_end_km: Mapped[int | None]
    covered_minutes: Mapped[int | None]
    charged_minutes: Mapped[int | None]
    charged_km: Mapped[int | None]
    km_from: Mapped[str | None]
    premium: Mapped[Big | None]
    end_evidence: Mapped[str | None]
    left_territory: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    pending_version: Mapped[int | None]
    acknowledged_version: Mapped[int | None]
    acknowledged_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    refused_reason: Mapped[str | None]
    during: Mapped[Any] = mapped_column(
        TSTZRANGE, Computed("tstzrange(from_at, to_at, '[)')", persisted=True)
    )
    __table_args__ = (
        Index("covers_began_idx", "car_no", "from_at", "id"),
        Index("covers_one_open_key", "car_no", unique=True, postgresql_where=text("to_at is null")),
        Index("covers_insurer_idx", "insurer_id", "id"),
        Index("covers_insurer_car_idx", "insurer_id", "car_no"),
        Index(
            "covers_conditional_idx",
            "car_no",
            "conditional_to",
            postgresql_where=text("conditional_to is not null"),
        ),
        Index("covers_changed_idx", "insurer_id", "recorded_at"),
        Index(
            "covers_to_note_idx",
            "insurer_id",
            "id",
            postgresql_where=text("coalesce(acknowledged_version, 0) < version"),
        ),
        Index(
            "covers_unacknowledged_idx",
            "policy_id",
            "from_at",
            postgresql_where=text("acknowledged_version is null and state <> 'void'"),
        ),
        CheckConstraint("state in ('conditional', 'bound', 'active', 'closed', 'void')", name="state"),
        CheckConstraint("(to_at is null) = (state in ('bound', 'active'))", name="open"),
        CheckConstraint("from_at <= to_at", name="forward"),
        ExcludeConstraint(
            (text("int4range(car_no, car_no, '[]')"), "&&"),
            ("during", "&&"),
            name="covers_never_two_at_once",
            using="gist",
        ),
    )


class CoverVersion(Model):
    """A cover as it was recorded once: rows are only added, one per fact. `data` is what the insurer reads."""

    __tablename__ = "cover_versions"
    cover_id: Mapped[str] = mapped_column(PublicId(COV), ForeignKey("covers.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    fact_seq: Mapped[Big] = mapped_column(BigInteger, unique=True)
    recorded_at: Mapped[datetime]
    insurer_id: Mapped[str] = mapped_column(PublicId(INS))
    state: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Confirmation(Model):
    """Where a policy wants to confirm first: what the insurer was asked ahead for a rental, and its answer.

    `cover_id` and `version` are what it knows the request by; the cover bound later goes on from them. What was
    confirmed stays so while a longer span is asked.
    """

    __tablename__ = "cover_confirmations"
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), primary_key=True)
    cover_id: Mapped[str] = mapped_column(PublicId(COV), unique=True, default=lambda: new_id(COV))
    version: Mapped[int]
    policy_id: Mapped[str] = mapped_column(PublicId(POL), ForeignKey("master_policies.id"))
    driver_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"))
    driver_ref: Mapped[str]
    car: Mapped[dict[str, Any]] = mapped_column(JSONB)
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    state: Mapped[str]
    asked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    confirmed_from_at: Mapped[datetime | None]
    confirmed_to_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    __table_args__ = (CheckConstraint("state in ('asked', 'pending', 'confirmed', 'refused')", name="state"),)


class DriverBlock(Model):
    """An insurer refused a cover of this driver: it binds no further one until the block is lifted."""

    __tablename__ = "driver_blocks"
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(PublicId("per"), ForeignKey("people.id"), primary_key=True)
    cover_id: Mapped[str] = mapped_column(PublicId(COV))
    reason: Mapped[str]
    blocked_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]


class LogHeadRow(Model):
    """A signed head over the facts at positions `first` to `last`; rows are only added.

    `nodes` are those of the tree over each 256 leaves, 32 bytes each.
    """

    __tablename__ = "log_heads"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first: Mapped[Big]
    last: Mapped[Big] = mapped_column(BigInteger, unique=True)
    chain: Mapped[bytes] = mapped_column(LargeBinary)
    nodes: Mapped[bytes] = mapped_column(LargeBinary)
    signed: Mapped[str]
    signed_at: Mapped[datetime]


class Lookup(Model):
    """Somebody asked whether a car was covered at an instant; its owner may see that they did."""

    __tablename__ = "coverage_lookups"
    id: Mapped[str] = mapped_column(PublicId("lku"), primary_key=True, default=lambda: new_id("lku"))
    client_id: Mapped[str] = mapped_column(PublicId(CLI), ForeignKey("partner_clients.id"))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    car_no: Mapped[int | None]
    """No foreign key: looking after it would take longer for a car that we know. No car is ever deleted."""
    country: Mapped[str]
    plate: Mapped[str]
    at: Mapped[datetime]
    asked_at: Mapped[datetime]
    covered: Mapped[str]
    __table_args__ = (Index("coverage_lookups_car_idx", "car_no", "id"),)
