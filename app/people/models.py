"""Tables of people."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, PublicId, new_id

PER, SES, PHO, COD, TOK, LIC, ACC, HLD = "per", "ses", "pho", "cod", "tok", "lic", "acc", "hld"


class Person(Model):
    """Anyone with an account."""

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(PublicId(PER), primary_key=True, default=lambda: new_id(PER))
    name: Mapped[str]
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    email_confirmed_at: Mapped[datetime | None]
    password_hash: Mapped[str]
    language: Mapped[str]
    country: Mapped[str]
    time_zone: Mapped[str]
    birth_date: Mapped[date | None]
    address: Mapped[str | None]
    operator: Mapped[bool] = mapped_column(default=False)
    totp_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_last_step: Mapped[int | None]
    suspended_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    kept_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    kept_until: Mapped[datetime | None]
    made_at: Mapped[datetime]

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name.split() else self.name


class LegalHold(Model):
    """Who a person is must be kept, for the reason given, until it is lifted."""

    __tablename__ = "legal_holds"
    id: Mapped[str] = mapped_column(PublicId(HLD), primary_key=True, default=lambda: new_id(HLD))
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), index=True)
    reason: Mapped[str]
    placed_by: Mapped[str]
    placed_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]


class Session(Model):
    """A sign-in on one installation; ends by sign-out, reuse of a refresh token, a new password."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(PublicId(SES), primary_key=True, default=lambda: new_id(SES))
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), index=True)
    installation: Mapped[str]
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    password_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]


class RefreshToken(Model):
    """One refresh token of a session; the token itself is the row's id and its HMAC, never stored."""

    __tablename__ = "refresh_tokens"
    id: Mapped[str] = mapped_column(PublicId(TOK), primary_key=True, default=lambda: new_id(TOK))
    session_id: Mapped[str] = mapped_column(PublicId(SES), ForeignKey("sessions.id"), index=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    successor_id: Mapped[str | None] = mapped_column(PublicId(TOK))


class EmailCode(Model):
    """A code sent by e-mail: six digits that are an HMAC of the row's id; five tries, fifteen minutes.

    `registration`: what the account becomes when this code confirms its address.
    """

    __tablename__ = "email_codes"
    id: Mapped[str] = mapped_column(PublicId(COD), primary_key=True, default=lambda: new_id(COD))
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), index=True)
    purpose: Mapped[str]
    subject: Mapped[str | None]
    registration: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    made_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]


class Phone(Model):
    """An installed app on one device."""

    __tablename__ = "phones"
    __table_args__ = (UniqueConstraint("person_id", "installation"),)
    id: Mapped[str] = mapped_column(PublicId(PHO), primary_key=True, default=lambda: new_id(PHO))
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), index=True)
    installation: Mapped[str]
    platform: Mapped[str]
    push: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    public_key: Mapped[str | None]
    language: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Licence(Model):
    """A person's driving licence as recorded; who cleared it is a row of its own."""

    __tablename__ = "licences"
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), primary_key=True)
    number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    number_end: Mapped[str]
    country: Mapped[str]
    classes: Mapped[list[Any]] = mapped_column(JSONB)
    birth_date: Mapped[date]
    issued_on: Mapped[date]
    expires_on: Mapped[date]
    recorded_at: Mapped[datetime]
    refused_at: Mapped[datetime | None]
    refused_reason: Mapped[str | None]


class Clearance(Model):
    """Somebody looked at the licence and let it pass: an owner for one community, an operator or provider for all."""

    __tablename__ = "licence_clearances"
    id: Mapped[str] = mapped_column(PublicId(LIC), primary_key=True, default=lambda: new_id(LIC))
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), index=True)
    level: Mapped[str]
    community_id: Mapped[str | None] = mapped_column(PublicId("com"))
    cleared_by: Mapped[str]
    cleared_at: Mapped[datetime]
    recheck_on: Mapped[date]
    withdrawn_at: Mapped[datetime | None]


class Acceptance(Model):
    """A person accepted one version of the conditions."""

    __tablename__ = "acceptances"
    person_id: Mapped[str] = mapped_column(PublicId(PER), ForeignKey("people.id"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    accepted_at: Mapped[datetime]
