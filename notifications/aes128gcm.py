"""A push message sealed for one browser, as RFC 8291 and RFC 8188 have it; the service in between reads nothing."""

import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD: Final = 4096
MOST: Final = RECORD - 103
"""Bytes of text in one record of 4096, which is what every service takes: less its head, padding byte and tag."""
_LAST: Final = b"\x02"


def seal(
    text: bytes,
    reader: bytes,
    secret: bytes,
    *,
    sender: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of the request. `reader` is the browser's public key (65 bytes), `secret` its authentication secret (16).

    Key and salt are new for each message; a test gives those of the RFC. Raises ValueError for keys that are none.
    """
    own, salt = sender or ec.generate_private_key(ec.SECP256R1()), salt or os.urandom(16)
    public = raw(own.public_key())
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), reader))
    key, nonce = keys(shared, secret, salt, reader, public)
    head = salt + RECORD.to_bytes(4) + bytes([len(public)]) + public
    return head + AESGCM(key).encrypt(nonce, text + _LAST, None)


def keys(shared: bytes, secret: bytes, salt: bytes, reader: bytes, sender: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the record (RFC 8291, 3.4)."""
    mixed = _derived(shared, secret, b"WebPush: info\x00" + reader + sender, 32)
    return (
        _derived(mixed, salt, b"Content-Encoding: aes128gcm\x00", 16),
        _derived(mixed, salt, b"Content-Encoding: nonce\x00", 12),
    )


def raw(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as browsers write it: 65 bytes, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
