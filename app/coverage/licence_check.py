"""What a driver's licence said when they were insured: kept as it was, sealed, to prove later what was looked at.

A licence may be recorded anew, and is forgotten with its account; who looked at it, and when, stays in the clearances.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import select

from app.coverage.driver_models import LicenceCheck
from app.kit import clock
from app.kit.db import session
from app.kit.keys import seal, unseal
from app.people.models import Licence
from insurance.period import to_ms

PURPOSE = "licence check"


@dataclass(frozen=True, slots=True)
class Seen:
    """Neither the number nor a picture."""

    country: str
    classes: list[str]
    issued_on: date
    expires_on: date
    recorded_at: datetime
    refused_at: datetime | None


def keep(rental: str, person: str, at: datetime) -> None:
    """They are about to be insured from `at` on, or from later: keep what their licence says now."""
    held = session.get(Licence, person)
    if held is None:
        return
    row = LicenceCheck(
        rental_id=rental,
        person_id=person,
        looked_at=to_ms(min(at, clock.now())),
        said_sealed=seal(PURPOSE, orjson.dumps(asdict(read(held)))),
    )
    session.add(row)


def read(held: Licence) -> Seen:
    """As it stands now."""
    return Seen(
        held.country, held.classes, held.issued_on, held.expires_on, held.recorded_at, held.refused_at
    )


def of(rental: str, person: str, begun: datetime) -> tuple[datetime | None, Seen] | None:
    """When it was looked at last before their cover began, and what it said; None where nothing is kept.

    Where a late record has moved the beginning before the first look, that one.
    """
    mine = (LicenceCheck.rental_id == rental, LicenceCheck.person_id == person)
    before = LicenceCheck.looked_at <= begun
    found = session.scalars(
        select(LicenceCheck)
        .where(*mine, before)
        .order_by(LicenceCheck.looked_at.desc(), LicenceCheck.id.desc())
        .limit(1)
    ).first()
    found = (
        found
        or session.scalars(
            select(LicenceCheck).where(*mine).order_by(LicenceCheck.looked_at, LicenceCheck.id).limit(1)
        ).first()
    )
    return None if found is None else (found.looked_at, _opened(found.said_sealed))


def _opened(sealed: bytes) -> Seen:
    said: dict[str, Any] = orjson.loads(unseal(PURPOSE, bytes(sealed)))
    refused = said["refused_at"]
    return Seen(
        country=said["country"],
        classes=said["classes"],
        issued_on=date.fromisoformat(said["issued_on"]),
        expires_on=date.fromisoformat(said["expires_on"]),
        recorded_at=datetime.fromisoformat(said["recorded_at"]),
        refused_at=None if refused is None else datetime.fromisoformat(refused),
    )
