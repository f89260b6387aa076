"""What our records say of who drove under a cover, for the evidence of a claim: licences and conditions; no names."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from app.coverage import licence_check, named_drivers, versions
from app.coverage.models import Cover
from app.kit.db import session
from app.people.models import Acceptance, Clearance, Licence


def named(cover: Cover) -> list[dict[str, Any]]:
    """Who was insured besides, from when to when, what came of looking at their licence, what they had accepted by then."""
    to, _ = versions.spans_shown(cover)
    return [
        {
            "driver_ref": one.driver_ref,
            "from": one.from_at,
            "to": one.to_at,
            "conditions": sorted(session.scalars(accepted_by(one.person, one.from_at))),
            **licence(cover, one.person, one.from_at),
        }
        for one in named_drivers.insured(cover, to)
    ]


def licence(cover: Cover, driver: str, begun: datetime) -> dict[str, Any]:
    """What came of looking at a driver's licence; neither its number nor a picture. `begun`: their cover."""
    looked = select(Clearance).where(Clearance.person_id == driver).order_by(Clearance.id)
    return {
        "licence": _licence(cover.rental_id, driver, begun),
        "clearances": [
            {
                "level": row.level,
                "cleared_at": row.cleared_at,
                "recheck_on": row.recheck_on,
                "withdrawn_at": row.withdrawn_at,
                "counted": _counted(row, begun),
            }
            for row in session.scalars(looked)
            if row.community_id in (None, cover.community_id)
        ],
    }


def _licence(rental: str, driver: str, begun: datetime) -> dict[str, Any] | None:
    """As it was looked at for this cover; of covers before that was kept, as it is recorded now, and `looked_at` is null."""
    kept = licence_check.of(rental, driver, begun)
    if kept is None:
        held = session.get(Licence, driver)
        if held is None:
            return None
        kept = None, licence_check.read(held)
    looked_at, said = kept
    return {
        **asdict(said),
        "looked_at": looked_at,
        "recorded_after_the_cover_began": said.recorded_at > begun,
    }


def _counted(row: Clearance, begun: datetime) -> bool:
    """Whether it stood when the cover was bound."""
    ended = row.withdrawn_at is not None and row.withdrawn_at <= begun
    return row.cleared_at <= begun and not ended and row.recheck_on >= begun.date()


def accepted_by(person: str, at: datetime) -> Select[str]:
    return select(Acceptance.version).where(Acceptance.person_id == person, Acceptance.accepted_at <= at)
