"""Drivers named besides who booked, and when each is insured under a cover."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.coverage.driver_models import NamedDriver
from app.coverage.models import Cover
from app.coverage.trip import driver_ref
from app.kit.clock import z
from app.kit.db import session


def of(rental: str) -> list[NamedDriver]:
    """Those named now, in the order in which they were."""
    return [one for one in ever(rental) if one.taken_off_at is None]


def ever(rental: str) -> list[NamedDriver]:
    """Those taken off again too."""
    wanted = select(NamedDriver).where(NamedDriver.rental_id == rental)
    return list(session.scalars(wanted.order_by(NamedDriver.named_at, NamedDriver.id)))


def find(rental: str, person: str) -> NamedDriver | None:
    """Whoever is named now."""
    return next((one for one in of(rental) if one.person_id == person), None)


@dataclass(frozen=True, slots=True)
class Insured:
    """A named driver under one cover; `to_at` None: as long as the cover goes on."""

    person: str
    driver_ref: str
    from_at: datetime
    to_at: datetime | None


def insured(cover: Cover, to_at: datetime | None) -> list[Insured]:
    """Who is insured under a cover besides its driver, and when; `to_at` is where its liability ends."""
    found = []
    for row in ever(cover.rental_id):
        begin = max(row.named_at, cover.from_at)
        end = min((at for at in (row.taken_off_at, to_at) if at is not None), default=None)
        if end is None or begin < end:
            reference = driver_ref(cover.insurer_id, row.person_id)
            found.append(Insured(row.person_id, reference, begin, end))
    return found


def as_json(cover: Cover, to_at: datetime | None) -> list[dict[str, Any]]:
    """As insurers read them: no names."""
    return [
        {
            "driver_ref": one.driver_ref,
            "from": z(one.from_at),
            "to": None if one.to_at is None else z(one.to_at),
        }
        for one in insured(cover, to_at)
    ]
