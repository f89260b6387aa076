"""The evidence of a claim as a ZIP file, written piece by piece: the files, then what was written, and its signature."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from insurance import certificate
from insurance.certificate import SigningKey
from insurance.period import instant

TYP: Final = "evidence-manifest+jwt"
MANIFEST, SIGNATURE = "manifest.json", "manifest.jws"
_PACKED: Final = (".jpg",)
"""Pictures are compressed already."""


@dataclass(frozen=True, slots=True)
class File:
    """`data` None: it should be here and is lost; the manifest says so."""

    name: str
    data: bytes | None


class _Pieces:
    """What the archive writes, until it is taken. It cannot be sought in, so each entry's sizes follow it."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def close(self) -> None:
        """What was written can still be taken."""

    def take(self) -> bytes:
        found = b"".join(self._held)
        self._held.clear()
        return found


def packed(
    files: Iterable[File], about: Mapping[str, Any], at: datetime, sign: Callable[[str], str]
) -> Iterator[bytes]:
    """The archive, one file at a time in memory. `about` goes into the manifest, which is signed by its very bytes."""
    pieces = _Pieces()
    written, missing = list[dict[str, Any]](), list[str]()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            if file.data is None:
                missing.append(file.name)
                continue
            found = {"name": file.name, "bytes": len(file.data)}
            written.append({**found, "sha256": hashlib.sha256(file.data).hexdigest()})
            archive.writestr(_entry(file.name, at), file.data)
            yield pieces.take()
        manifest = as_json({**about, "files": written, "missing": missing})
        archive.writestr(_entry(MANIFEST, at), manifest)
        archive.writestr(_entry(SIGNATURE, at), sign(manifest.decode()))
    yield pieces.take()


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, at.astimezone(UTC).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def as_json(value: Any) -> bytes:
    """To be read by people too; instants in UTC."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=_word).encode() + b"\n"


def _word(value: date) -> str:
    return instant(value) if isinstance(value, datetime) else value.isoformat()


def sign(key: SigningKey, manifest: str) -> str:
    """The manifest as a compact JWS; the keys are those of certificates."""
    return certificate.sign(key, TYP, manifest)
