"""The photos of a rental on paper, for a bank: small, each with its step, time and hash."""

from app.kit.db import release, session
from app.kit.paper import Paper
from app.kit.picture import smaller
from app.kit.storage import NotKeptError
from app.rentals import photos
from app.rentals.photo_models import Photo
from payments.evidence import MOST_PHOTOS

SIDE, QUALITY = 1000, 70
"""About 150 kB for each of those that the words name: banks take 4.5 MB in all."""


def of(rental: str) -> bytes | None:
    """A PDF in English, None without photos; the same photos make the same bytes. Never in a transaction.

    Raises Unavailable.
    """
    rows = session.scalars(photos.of(rental).order_by(Photo.id).limit(MOST_PHOTOS)).all()
    if not rows:
        return None
    release()
    paper, storage = Paper(f"Photos of rental {rental}", "en"), photos.storage()
    paper.heading(f"Photos of rental {rental}", 12)
    for row in rows:
        try:
            found = storage.get(row.file)
        except NotKeptError:
            continue
        paper.space(8)
        paper.picture(smaller(found, SIDE, QUALITY))
        said = f"{row.step}, {row.angle}, by the {row.role}, received {row.received_at:%Y-%m-%d %H:%M:%S} UTC"
        paper.line(said)
        paper.line(f"SHA-256 {row.sha256}", size=7)
    return paper.done()
