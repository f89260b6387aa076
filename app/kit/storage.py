"""Where files are kept: a folder of this machine, or a bucket (`s3_storage`); written once under a name, then only read.

What is kept is small enough to be held in memory. A name is never written twice, so nobody can take away what another
is about to point at.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.kit.config import Settings
from app.kit.errors import Unavailable

NAME = re.compile(r"[0-9a-z]+([/_-][0-9a-z]+)*")
_HALF = re.compile(r"\.[0-9a-z_-]+\.[0-9a-f]{8}")
"""What a file is called while it is written."""
AWAY = "Photos cannot be kept or read at the moment."


class NotKeptError(LookupError):
    """Nothing is kept under this name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file, and since when it is there, on the clock of whoever keeps it."""

    name: str
    at: datetime


class Storage(Protocol):
    """Names are small letters, digits and `/ _ -`. Raises Unavailable (temporary) when it cannot be reached or is full."""

    def put(self, name: str, data: bytes) -> None:
        """Once this returns, the file outlives a crash."""
        ...

    def get(self, name: str) -> bytes:
        """Raises NotKeptError."""
        ...

    def delete(self, name: str) -> None:
        """Done as well when there is no such file."""
        ...

    def kept(self) -> Iterator[Kept]:
        """Every file."""
        ...

    def forget_halves(self, before: datetime) -> int:
        """Delete what was begun before then and never became a file, as when a process is killed; returns how many."""
        ...


def checked(name: str) -> str:
    """The name as it is; one that could lead elsewhere is a bug."""
    if not NAME.fullmatch(name):
        raise ValueError(f"no name of a file: {name!r}")
    return name


class FolderStorage:
    """Files in a folder, which is made with the first of them. All processes see the same folder."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def put(self, name: str, data: bytes) -> None:
        place = self._folder / checked(name)
        beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with beside.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
            _make_lasting(place.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise Unavailable(AWAY) from error

    def get(self, name: str) -> bytes:
        try:
            return (self._folder / checked(name)).read_bytes()
        except FileNotFoundError as error:
            raise NotKeptError(name) from error
        except OSError as error:
            raise Unavailable(AWAY) from error

    def delete(self, name: str) -> None:
        try:
            (self._folder / checked(name)).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(AWAY) from error

    def kept(self) -> Iterator[Kept]:
        for place in self._folder.rglob("*"):
            try:
                at = _changed_at(place)
            except FileNotFoundError:  # deleted meanwhile
                continue
            name = place.relative_to(self._folder).as_posix()
            if place.is_file() and NAME.fullmatch(name):
                yield Kept(name, at)

    def forget_halves(self, before: datetime) -> int:
        gone = 0
        for place in self._folder.rglob(".*"):
            try:
                if _HALF.fullmatch(place.name) and place.is_file() and _changed_at(place) < before:
                    place.unlink()
                    gone += 1
            except FileNotFoundError:  # it has become a file meanwhile
                continue
            except OSError as error:
                raise Unavailable(AWAY) from error
        return gone


def _changed_at(place: Path) -> datetime:
    return datetime.fromtimestamp(place.stat().st_mtime, UTC)


def _make_lasting(folder: Path) -> None:
    """The new name is on the disk too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def storage_of(house: Settings) -> Storage:
    """The place that the settings name."""
    if not house.photos.startswith("s3://"):
        return FolderStorage(house.photos)
    from app.kit.s3_storage import Bucket, S3Storage  # its client is large, and a folder needs none

    return S3Storage(
        Bucket(
            house.photos,
            house.photos_endpoint,
            house.photos_region,
            house.photos_access_key,
            house.photos_secret_key,
        )
    )
