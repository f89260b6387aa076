"""A picture as it may be kept: read by its content, turned upright, drawn anew as a JPEG of nothing but its pixels.

Whoever sends one sends with it where it was taken, on what, and whatever else fits between the segments of a file. Only
pixels come through; the time that the camera wrote down is read first.
"""

import io
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from PIL import Image, ImageOps

MOST_PIXELS = 50_000_000
"""What a phone's camera makes; larger ones are what a small file may hide to fill the memory."""
READ = ("JPEG", "PNG", "WEBP")
QUALITY = 90
_EXIF, _TAKEN, _OFFSET = 0x8769, 0x9003, 0x9011
"""Exif 3.0, table 8: the IFD of the exposure, DateTimeOriginal, OffsetTimeOriginal."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each may take 400 MB while it is drawn: one process draws no more than these at a time."""


class NoPictureError(ValueError):
    """Not a picture that we keep; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG. `taken_at` is what the camera claimed."""

    data: bytes
    width: int
    height: int
    taken_at: datetime | None


def cleaned(data: bytes, zone: ZoneInfo) -> Picture:
    """The first picture of a JPEG, PNG or WebP; `zone` is where the camera's clock is when it does not say.

    Raises NoPictureError for anything else, for what is broken, and for what is larger than MOST_PIXELS.
    """
    with _AT_ONCE:
        try:
            return _cleaned(data, zone)
        except NoPictureError:
            raise
        except Exception as error:  # a decoder says in a dozen ways that bytes are no picture
            raise NoPictureError("Not a JPEG, PNG or WebP picture, or a broken one.") from error


def _cleaned(data: bytes, zone: ZoneInfo) -> Picture:
    with Image.open(io.BytesIO(data), formats=READ) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise NoPictureError(f"At most {MOST_PIXELS // 10**6} million pixels.")
        if (
            opened.format in ("PNG", "WEBP") and getattr(opened, "n_frames", 1) > 1
        ):  # decoded at twice the memory
            raise NoPictureError("A picture, not an animation.")
        taken_at = _taken_at(opened, zone)
        ImageOps.exif_transpose(opened, in_place=True)  # a copy of a large one would cost 150 MB
        opened.load()
        bare: Image.Image = opened if opened.mode == "RGB" else opened.convert("RGB")
        bare.info.clear()  # some writers take metadata from here when they are not told otherwise
        out = io.BytesIO()
        bare.save(out, format="JPEG", quality=QUALITY)
        return Picture(out.getvalue(), bare.width, bare.height, taken_at)


def _taken_at(opened: Image.Image, zone: ZoneInfo) -> datetime | None:
    exposure = opened.getexif().get_ifd(_EXIF)
    said, offset = str(exposure.get(_TAKEN, "")), str(exposure.get(_OFFSET, ""))
    for text, form in ((f"{said[:19]}{offset[:6]}", "%Y:%m:%d %H:%M:%S%z"), (said[:19], "%Y:%m:%d %H:%M:%S")):
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - the second form has no zone, and gets one below
        except ValueError:
            continue
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        return found.astimezone(UTC) if 2000 <= found.year <= 2200 else None
    return None


def smaller(data: bytes, side: int, quality: int) -> bytes:
    """One of ours, at most so many pixels wide and high."""
    with _AT_ONCE, Image.open(io.BytesIO(data), formats=READ) as opened:
        opened.thumbnail((side, side))
        out = io.BytesIO()
        opened.save(out, format="JPEG", quality=quality)
    return out.getvalue()
