"""Photos as evidence, by their ids: those of the rental alone, and kept while they may be looked at."""

from collections.abc import Sequence
from datetime import timedelta

from app.claims import access
from app.claims.charge_rules import FINAL
from app.kit import clock
from app.rentals import photos

AFTERWARDS = timedelta(days=180)
"""How long after a charge request has closed its photos are kept: a bank may be asked to take the charge back."""


def unknown(rental: str, ids: Sequence[str]) -> list[dict[str, str]]:
    """An error for each id that is not a photo of the rental."""
    detail = "There is no such photo of this rental."
    return [
        {"pointer": f"/photos/{place}", "code": "unknown", "detail": detail}
        for place in photos.strange(rental, ids)
    ]


def needed(rental: str) -> bool:
    """Whether a hearing about the rental goes on, or ended not long ago."""
    since = clock.now() - AFTERWARDS
    return any(
        row.stands not in FINAL or (row.closed_at is not None and row.closed_at > since)
        for row in access.of_rental(rental)
    )
