"""The certificate a caller's program proved itself with to the proxy in front, as tokens are bound to it (RFC 8705)."""

import base64
import binascii
import hashlib
import re
from datetime import datetime
from urllib.parse import unquote

from cryptography import x509
from flask import request

from app.kit.keys import b64, settings

THUMBPRINT = "^[A-Za-z0-9_-]{43}$"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


def presented() -> str | None:
    """The thumbprint of this request's certificate; None without one, or where no header is set for it.

    What the header says is believed: the settings demand a proxy in front, which must set it anew on every request.
    """
    der = _presented()
    return None if der is None else _thumbprint(der)


def _presented() -> bytes | None:
    name = settings().client_certificate_header
    given = request.headers.get(name, "") if name else ""
    return _der(given.strip())


def is_in_time(at: datetime) -> bool:
    """Whether this request's certificate is valid at an instant; no proxy need have looked. False without one."""
    der = _presented()
    if der is None:
        return False
    try:
        found = x509.load_der_x509_certificate(der)
    except ValueError:
        return False
    return found.not_valid_before_utc <= at <= found.not_valid_after_utc


def of_pem(text: str) -> str:
    """The thumbprint (x5t#S256) of a certificate in PEM. Raises ValueError."""
    der = _der(text.strip())
    if der is None:
        raise ValueError("not one certificate in PEM")
    return _thumbprint(der)


def _thumbprint(der: bytes) -> str:
    return b64(hashlib.sha256(der).digest())


def _der(given: str) -> bytes | None:
    """From PEM, percent-encoded or not (nginx), or base64 between colons (RFC 9440); None for anything else."""
    if len(given) > 2 and given.startswith(":") and given.endswith(":"):
        encoded = given[1:-1]
    elif found := _PEM.fullmatch(unquote(given)):
        encoded = "".join(found[1].split())
    else:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
