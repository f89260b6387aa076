"""What is kept of a picture: its pixels, and when the camera says it was taken."""

import io
import struct
import zlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from app.kit.picture import MOST_PIXELS, NoPictureError, cleaned
from tests.kit.camera import EXIF, GPS, picture, taken

PARIS = ZoneInfo("Europe/Paris")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_what_phones_make_is_kept_as_a_jpeg_of_the_same_size(form: str) -> None:
    found = cleaned(picture(form), PARIS)
    kept = opened(found.data)
    assert (kept.format, kept.size, (found.width, found.height)) == ("JPEG", (64, 48), (64, 48))


def test_place_device_and_comments_are_gone_and_the_time_is_read() -> None:
    sent = taken()
    assert opened(sent).getexif().get_ifd(GPS)
    found = cleaned(sent, PARIS)
    kept = opened(found.data)
    assert (dict(kept.getexif()), kept.getexif().get_ifd(GPS), kept.getexif().get_ifd(EXIF)) == ({}, {}, {})
    assert not {"exif", "comment", "icc_profile", "xmp"} & set(kept.info)
    for word in (b"Exif", b"Phone", b"beside the pixels"):
        assert word not in found.data
    assert found.taken_at == datetime(2027, 3, 1, 9, tzinfo=UTC)


def test_metadata_of_a_png_is_gone_too() -> None:
    exif = Image.Exif()
    exif[GPS] = {1: "N", 2: (48.0, 51.0, 23.0)}
    found = cleaned(picture("PNG", exif=exif), PARIS)
    assert not opened(found.data).getexif().get_ifd(GPS)


def test_a_second_picture_behind_the_first_is_not_kept() -> None:
    hidden = picture(colour="blue")
    found = cleaned(picture() + hidden, PARIS)
    assert hidden not in found.data
    two = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(
        two, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8), "blue")]
    )
    first = opened(cleaned(two.getvalue(), PARIS).data)
    red, _, blue = first.convert("RGB").getpixel((4, 4))  # type: ignore[misc]
    assert red > 200 > blue


@pytest.mark.parametrize(
    ("at", "offset", "hour"),
    [("2027:03:01 10:00:00", "+03:00", 7), ("2027:03:01 10:00:00", None, 9), ("2027:07:01 10:00:00", "x", 8)],
    ids=["with its offset", "on the clocks at the car", "an offset that is none"],
)
def test_the_cameras_time_is_an_instant(at: str, offset: str | None, hour: int) -> None:
    found = cleaned(taken(at, offset), PARIS).taken_at
    assert found is not None
    assert (found.hour, found.tzinfo) == (hour, UTC)


@pytest.mark.parametrize("at", ["0000:00:00 00:00:00", "yesterday", "", "1904:01:01 00:00:00"])
def test_a_time_that_is_none_is_no_reason_to_refuse(at: str) -> None:
    assert cleaned(taken(at), PARIS).taken_at is None


def test_a_picture_is_turned_upright() -> None:
    found = cleaned(taken(orientation=6), PARIS)
    assert (found.width, found.height) == (48, 64)


def bomb(width: int, height: int) -> bytes:
    """A small file that says it is a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * ((width // 8 + 1) * min(height, 2000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8000, 12_000, 20_000, 60_000])
def test_a_file_that_would_fill_the_memory_is_refused_unread(side: int) -> None:
    sent = bomb(side, side)
    assert len(sent) < 1_000_000
    assert side * side > MOST_PIXELS
    with pytest.raises(NoPictureError):
        cleaned(sent, PARIS)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff\xd8\xff",
        b"%PDF-1.4",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture()[:200],
        picture("PNG")[:60],
        picture("GIF"),
        picture("TIFF"),
        picture("BMP"),
        b"\0\0\0\x18ftypheic" + b"\0" * 100,
    ],
    ids=["empty", "a start", "pdf", "svg", "half a jpeg", "half a png", "gif", "tiff", "bmp", "heic"],
)
def test_anything_else_is_no_picture(sent: bytes) -> None:
    with pytest.raises(NoPictureError):
        cleaned(sent, PARIS)


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_an_animation_is_no_picture(form: str) -> None:
    first, second = (Image.new("RGB", (40, 30), colour) for colour in ("white", "black"))
    sent = io.BytesIO()
    first.save(sent, form, save_all=True, append_images=[second])
    with pytest.raises(NoPictureError, match="animation"):
        cleaned(sent.getvalue(), PARIS)


def test_the_same_bytes_are_the_same_picture() -> None:
    assert cleaned(taken(), PARIS) == cleaned(taken(), PARIS)
