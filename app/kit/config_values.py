"""Settings one by one: what stands in the environment becomes a value, or is refused with its name and what it must be."""

import base64
import json
import re
from pathlib import Path
from typing import Any

from environs import EnvValidationError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n([0-9A-Za-z+/=]{1,64}\n)+-----END CERTIFICATE-----")
_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve (FIPS 186)."""


def secret(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise EnvValidationError(
            "must be base64url", ["must be base64url of at least 32 random bytes"]
        ) from error
    if len(key) < 32:
        raise EnvValidationError("too short", ["must be base64url of at least 32 random bytes"])
    return key


def limit(text: str) -> tuple[int, int]:
    count, _, seconds = text.partition("/")
    if not (count.isdigit() and seconds.isdigit() and int(count) and int(seconds)):
        raise EnvValidationError("bad limit", ["must read COUNT/SECONDS, such as 300/60"])
    return int(count), int(seconds)


def place(text: str) -> str:
    name = "GLOVEBOX_PHOTOS"
    words = "must be a folder, or s3://bucket or s3://bucket/prefix"
    if not text or ("://" in text and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/[\w-]+)*", text)):
        raise EnvValidationError(f"{name}: {words}", {name: [words]})
    return text


def prefix(text: str) -> str:
    name = "GLOVEBOX_INVOICE_PREFIX"
    if not re.fullmatch(r"[A-Z0-9]{1,8}", text):
        raise EnvValidationError(f"{name}: bad prefix", {name: ["must be 1 to 8 capital letters and digits"]})
    return text


def digits(name: str, text: str) -> str:
    if text and not re.fullmatch(r"[0-9]{6,12}", text):
        raise EnvValidationError(f"{name}: bad number", {name: ["must be the number in the store's address"]})
    return text


def web_push_key(text: str) -> str:
    name, words = "GLOVEBOX_WEB_PUSH_KEY", "must be base64url of the 32 bytes of a P-256 private key"
    try:
        fits = not text or 0 < int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) < _P256
        fits = fits and len(text.rstrip("=")) in (0, 43)
    except ValueError:
        fits = False
    if not fits:
        raise EnvValidationError(f"{name}: {words}", {name: [words]})
    return text


def certificate(name: str, path: str) -> str:
    """The one certificate of a PEM file, as the box's installer enters it."""
    if not path:
        return ""
    try:
        found = Path(path).read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise EnvValidationError(f"{name}: {error}", {name: [f"cannot be read: {error}"]}) from error
    if not _PEM.fullmatch(found):
        raise EnvValidationError(
            f"{name}: not one certificate in PEM", {name: ["not one certificate in PEM"]}
        )
    return found


def insurers(text: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise EnvValidationError("bad JSON", ["GLOVEBOX_INSURERS must be a JSON list of partners"]) from error
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise EnvValidationError("bad JSON", ["GLOVEBOX_INSURERS must be a JSON list of partners"])
    return value


def driver(url: str) -> str:
    """Any PostgreSQL URL, spoken through psycopg 3."""
    scheme, sep, rest = url.partition("://")
    return f"postgresql+psycopg{sep}{rest}" if scheme in ("postgres", "postgresql") else url
