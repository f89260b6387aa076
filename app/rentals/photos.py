"""The photos of a rental: found by who may see them, shown, and read from where they are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from flask import Response, current_app
from sqlalchemy import Select, bindparam, func, select

from app.kit import media
from app.kit.db import release, session
from app.kit.errors import NotFound, Unavailable
from app.kit.storage import AWAY, NotKeptError, Storage
from app.rentals import access
from app.rentals.photo_models import Photo
from app.rentals.photo_rules import At

log = structlog.get_logger(__name__)
MAX_AGE = 365 * 86_400


def storage() -> Storage:
    """Where the pictures lie. Raises Unavailable."""
    found: Storage | None = current_app.extensions["glovebox"].doors.storage
    if found is None:
        raise Unavailable(AWAY)
    return found


def of(rental: str) -> Select[Any]:
    """All of a rental."""
    return select(Photo).where(Photo.rental_id == rental)


def find(person: str, rental: str, photo: str) -> Photo:
    """Of a rental that is the person's to see. Raises NotFound."""
    access.may_see(rental, person)
    found = session.get(Photo, photo)
    if found is None or found.rental_id != rental:
        raise NotFound
    return found


def strange(rental: str, ids: Sequence[str]) -> list[int]:
    """The places of the ids that are no photo of the rental."""
    known = set(session.scalars(select(Photo.id).where(Photo.rental_id == rental))) if ids else set()
    return [place for place, one in enumerate(ids) if one not in known]


_ANGLES = (
    select(Photo.angle)
    .distinct()
    .where(
        Photo.rental_id == bindparam("rental"),
        Photo.step == bindparam("step"),
        Photo.received_at
        >= func.coalesce(bindparam("since", type_=Photo.received_at.type), Photo.received_at),
    )
)


def angles(rental: str, at: At, since: datetime | None = None) -> set[str]:
    """What was photographed at a step, and came since then."""
    return set(session.scalars(_ANGLES, {"rental": rental, "step": at.value, "since": since}))


def shown(row: Photo) -> dict[str, Any]:
    """The contract's `photo`."""
    return {
        "id": row.id,
        "rental": row.rental_id,
        "step": row.step,
        "angle": row.angle,
        "by": row.role,
        "sha256": row.sha256,
        "sent_sha256": row.sent_sha256,
        "bytes": row.bytes,
        "width": row.width,
        "height": row.height,
        "taken_at": row.taken_at,
        "received_at": row.received_at,
        "url": f"/v1/rentals/{row.rental_id}/photos/{row.id}/file",
    }


def file(row: Photo) -> Response:
    """The picture, to be cached by who asked and by nobody in between: it never changes. Raises Unavailable."""
    name, place, tag = f"{row.step}-{row.angle}-{row.id}.jpg", row.file, row.sha256
    release()
    try:
        data = storage().get(place)
    except NotKeptError as error:
        log.exception("a photo is lost", photo=row.id)
        raise Unavailable(AWAY) from error
    answer = media.file(data, media.JPEG, name)
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    answer.headers["Cache-Control"] = f"private, max-age={MAX_AGE}, immutable"
    answer.headers["Vary"] = "Authorization"
    answer.set_etag(tag)
    return answer
