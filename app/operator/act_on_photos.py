"""Operators say that the place of the photos is this installation's."""

from app.kit import keys
from app.kit.db import transactional
from app.operator.act import audit
from app.rentals import photo_place, photos


def take_place(*, by: str, reason: str) -> str:
    """Mark the place as ours, whatever its mark said, and name it. No transaction may be open. Raises Unavailable."""
    place = keys.settings().photos
    photo_place.take(photos.storage())
    _note(place, by=by, reason=reason)
    return place


@transactional
def _note(place: str, *, by: str, reason: str) -> None:
    audit(by, "photos take", place, reason)
