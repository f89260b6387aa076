"""What goes out about photos."""

from app.kit.fields import Instant, OneOf, PublicIdField, Strict, Text, Whole
from app.kit.picture import MOST_PIXELS
from app.kit.routes import page_of
from app.rentals.photo_rules import Angle, At

HASH = r"^[0-9a-f]{64}$"


class Photo(Strict):
    """A photo of the car. `sha256` is that of the picture at `url`, `sent_sha256` that of what was sent; `received_at` is
    ours, `taken_at` what the camera claimed.
    """

    id = PublicIdField("pic", required=True)
    rental = PublicIdField("ren", required=True)
    step = OneOf(tuple(At), required=True)
    angle = OneOf(tuple(Angle), required=True)
    by = OneOf(("driver", "owner"), required=True)
    sha256 = Text(64, shortest=64, pattern=HASH, required=True)
    sent_sha256 = Text(64, shortest=64, pattern=HASH, required=True)
    bytes = Whole(1, 50_000_000, required=True)
    width = Whole(1, MOST_PIXELS, required=True)
    height = Whole(1, MOST_PIXELS, required=True)
    taken_at = Instant(required=True, allow_none=True)
    received_at = Instant(required=True)
    url = Text(200, required=True, metadata={"format": "uri-reference"})


PhotoPage = page_of(Photo, "Photo")
