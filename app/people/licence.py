"""Driving licences: recorded by the driver, cleared by an owner, an operator or a provider, checked again in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import Date, Row, and_, bindparam, or_, select

from app.facts import LicenceCleared, LicenceRecorded, LicenceRefused
from app.kit import clock, facts
from app.kit.db import PublicId, bare, new_id, session, transactional
from app.kit.driver import plain
from app.kit.errors import NotFound, Validation
from app.kit.keys import seal
from app.people.models import Clearance, Licence, Person

LEVELS = ("owner", "operator", "provider")
STANDING = (
    select(
        Person.birth_date.label("born"),
        Licence.birth_date,
        Licence.classes,
        Licence.issued_on,
        Licence.expires_on,
        Licence.refused_at,
        Clearance.level,
        Clearance.recheck_on,
    )
    .select_from(Person)
    .outerjoin(Licence, Licence.person_id == Person.id)
    .outerjoin(
        Clearance,
        and_(
            Clearance.person_id == Licence.person_id,
            Clearance.withdrawn_at.is_(None),
            Clearance.recheck_on >= bindparam("day", type_=Date()),
            or_(
                Clearance.community_id.is_(None),
                Clearance.community_id == bindparam("community", type_=PublicId("com")),
            ),
        ),
    )
    .where(Person.id == bindparam("person", type_=PublicId("per")))
)
"""A person's licence with every clearance that counts on a day in a community, one in each row."""
_LOCKED = (
    select(Licence)
    .where(Licence.person_id == bindparam("person", type_=PublicId("per")))
    .with_for_update(read=True)
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a licence stands for one community at one instant."""

    state: str
    level: str | None
    recheck_on: date | None
    licence: Row[Any] | None
    """Its dates and classes."""


@transactional
def record(person: str, body: dict[str, Any]) -> Licence:
    """Record, or replace, one's licence; earlier clearances end. Raises Validation for dates that cannot be."""
    today = clock.now().date()
    _refuse_dates(body, today)
    found = session.get(Licence, person, with_for_update=True) or Licence(person_id=person)
    found.number_sealed = seal("licence", body["number"].encode())
    found.number_end = body["number"][-3:]
    found.country, found.classes = body["country"], sorted(set(body["classes"]))
    found.birth_date, found.issued_on, found.expires_on = (
        body["birth_date"],
        body["issued_on"],
        body["expires_on"],
    )
    found.recorded_at, found.refused_at, found.refused_reason = clock.now(), None, None
    session.add(found)
    holder = session.get(Person, person)
    assert holder is not None
    holder.birth_date = body["birth_date"]
    for old in session.scalars(
        select(Clearance).where(Clearance.person_id == person, Clearance.withdrawn_at.is_(None))
    ):
        old.withdrawn_at = clock.now()
    facts.record(LicenceRecorded(person=person))
    return found


def _refuse_dates(body: dict[str, Any], today: date) -> None:
    errors = []
    if not body["birth_date"] < body["issued_on"] <= today:
        errors.append(
            {
                "pointer": "/issued_on",
                "code": "invalid",
                "detail": "Must lie after birth and not in the future.",
            }
        )
    if body["expires_on"] <= today:
        errors.append({"pointer": "/expires_on", "code": "invalid", "detail": "The licence has expired."})
    if body["birth_date"] > today - relativedelta(years=15):
        errors.append({"pointer": "/birth_date", "code": "invalid", "detail": "Too young to hold a licence."})
    if errors:
        raise Validation(errors=errors)


def of(person: str) -> Licence:
    """Raises NotFound where none is recorded."""
    found = session.get(Licence, person)
    if found is None:
        raise NotFound
    return found


def standing(person: str, community: str | None, at: datetime, *, share_lock: bool = False) -> Standing:
    """pending, cleared, refused or expired at an instant, and by whom it was cleared."""
    if share_lock:
        keep(person)
    return judged(plain(STANDING, asked(person, community, at)), at)


def keep(person: str) -> None:
    """The licence stays as it is until the transaction ends."""
    session.scalars(_LOCKED, {"person": person}).first()


def asked(person: str, community: str | None, at: datetime) -> dict[str, Any]:
    """The parameters of STANDING."""
    return {
        "person": bare(person, "per"),
        "community": bare(community, "com") if community else None,
        "day": at.date(),
    }


def judged(rows: Sequence[Any], at: datetime) -> Standing:
    """What the rows of STANDING come to at an instant."""
    if not rows or rows[0].expires_on is None:
        return Standing("missing", None, None, None)
    licence = rows[0]
    if licence.refused_at is not None:
        return Standing("refused", None, None, licence)
    if licence.expires_on < at.date():
        return Standing("expired", None, None, licence)
    clearance = max(
        (row for row in rows if row.level is not None),
        key=lambda one: (LEVELS.index(one.level), one.recheck_on),
        default=None,
    )
    if clearance is None:
        return Standing("pending", None, None, licence)
    return Standing("cleared", clearance.level, clearance.recheck_on, licence)


@transactional
def clear(
    person: str, *, by: str, level: str, community: str | None = None, recheck_months: int = 6
) -> Clearance:
    """Let a licence pass for a community (owner) or everywhere. Raises NotFound, Validation when it is out of date."""
    licence = of(person)
    now = clock.now()
    if licence.expires_on <= now.date():
        raise Validation("The licence has expired; its holder must record a new one.")
    if level != "owner":
        licence.refused_at = licence.refused_reason = None
    row = Clearance(
        id=new_id("lic"),
        person_id=person,
        level=level,
        community_id=community,
        cleared_by=by,
        cleared_at=now,
        recheck_on=min(now.date() + relativedelta(months=recheck_months), licence.expires_on),
    )
    session.add(row)
    facts.record(LicenceCleared(person=person, community=community, by=by))
    return row


@transactional
def refuse(person: str, *, by: str, reason: str) -> None:
    """An operator refuses a licence: no clearance counts until a new one is recorded or cleared by an operator."""
    licence = of(person)
    licence.refused_at, licence.refused_reason = clock.now(), reason
    facts.record(LicenceRefused(person=person, by=by))
