"""What our records say of who drove under a cover, for the evidence of a claim: licences and conditions; no names."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from app.coverage import named_drivers, versions
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
    held = session.get(Licence, driver)
    looked = select(Clearance).where(Clearance.person_id == driver).order_by(Clearance.id)
    return {
        "licence": None
        if held is None
        else {
            "country": held.country,
            "classes": held.classes,
            "issued_on": held.issued_on,
            "expires_on": held.expires_on,
            "recorded_at": held.recorded_at,
            "recorded_after_the_cover_began": held.recorded_at > begun,
            "refused_at": held.refused_at,
        },
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


def _counted(row: Clearance, begun: datetime) -> bool:
    """Whether it stood when the cover was bound."""
    ended = row.withdrawn_at is not None and row.withdrawn_at <= begun
    return row.cleared_at <= begun and not ended and row.recheck_on >= begun.date()


def accepted_by(person: str, at: datetime) -> Select[str]:
    return select(Acceptance.version).where(Acceptance.person_id == person, Acceptance.accepted_at <= at)
