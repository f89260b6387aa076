"""Pictures as cameras make them: with place, device and time of their own."""

import io
from typing import Any

from PIL import Image

EXIF, GPS = 0x8769, 0x8825


def picture(
    form: str = "JPEG", size: tuple[int, int] = (64, 48), *, colour: str = "red", **save: Any
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form, **save)
    return out.getvalue()


def taken(
    at: str = "2027:03:01 10:00:00",
    offset: str | None = "+01:00",
    *,
    colour: str = "red",
    orientation: int = 1,
) -> bytes:
    """A JPEG that says where, when and on what it was taken."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker of phones", "Phone 17", orientation
    exposure: dict[int, Any] = {0x9003: at, 0xA434: "Lens of a phone"}
    if offset:
        exposure[0x9011] = offset
    exif[EXIF] = exposure
    exif[GPS] = {1: "N", 2: (48.0, 51.0, 23.0), 3: "E", 4: (2.0, 21.0, 7.0)}
    return picture(exif=exif, comment=b"written beside the pixels", colour=colour)
