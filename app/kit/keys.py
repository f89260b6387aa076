"""Keys: one secret from the settings protects all; signing keys live in the database, sealed, one family per purpose."""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from flask import current_app
from sqlalchemy import LargeBinary, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.clock import real_now
from app.kit.config import Settings
from app.kit.db import Model, new_id, session, transactional
from app.kit.driver import autocommit_engine

RELOAD_S = 30
VERIFIES_FOR = timedelta(minutes=11)
"""A retired key of people or partners: what it signed last, by a process that did not know yet, lives ten minutes."""


class Purpose(StrEnum):
    """What a signing key is for; a verifier takes keys of one purpose alone."""

    PEOPLE = "people"
    PARTNERS = "partners"
    CERTIFICATES = "certificates"
    GRANTS = "grants"


GENERATIONS = {Purpose.GRANTS: 2}
"""Boxes pin the issuing key and the next one, so that those without signal can follow a rotation. Others have one."""


class SigningKey(Model):
    """A P-256 key, its private part sealed with the settings' secret. A retired one never signs."""

    __tablename__ = "signing_keys"
    kid: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Key:
    """A key parsed once per process."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey
    retired_at: datetime | None

    def verifies(self, purpose: Purpose, at: datetime) -> bool:
        """Certificates are shown for years; of a token nothing is left once it has expired."""
        if self.retired_at is None or purpose is Purpose.CERTIFICATES:
            return True
        return at - self.retired_at <= VERIFIES_FOR

    @property
    def private_pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def settings() -> Settings:
    found: Settings = current_app.extensions["glovebox"].settings
    return found


def derived(purpose: str) -> bytes:
    """32 bytes for one purpose, from the one secret."""
    return HKDF(SHA256(), 32, None, f"glovebox:{purpose}".encode()).derive(settings().secret_key)


def mac(purpose: str, value: str) -> bytes:
    """HMAC-SHA256 of a value under the purpose's own key."""
    return hmac.new(derived(purpose), value.encode(), hashlib.sha256).digest()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def seal(purpose: str, plain: bytes) -> bytes:
    """Encrypt for storage (AES-256-GCM, key by purpose)."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(derived(purpose)).encrypt(nonce, plain, purpose.encode())


def unseal(purpose: str, stored: bytes) -> bytes:
    return AESGCM(derived(purpose)).decrypt(stored[:12], stored[12:], purpose.encode())


class KeyRing:
    """The signing keys of this process: read at need, again every half minute and when a kid is unknown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, list[Key]] = {}
        self._read_at = 0.0

    def signing(self, purpose: Purpose) -> Key:
        return self.live(purpose)[0]

    def live(self, purpose: Purpose) -> list[Key]:
        """The key that signs, then the one that will."""
        found = [key for key in self._of(purpose) if key.retired_at is None]
        if len(found) < GENERATIONS.get(purpose, 1):
            ensure_keys()
            self._load()
            found = [key for key in self._keys[purpose] if key.retired_at is None]
        return found[::-1]

    def verifying(self, purpose: Purpose, kid: str | None) -> Key | None:
        found = next((key for key in self._of(purpose) if key.kid == kid), None)
        if found is None and time.monotonic() - self._read_at > 1:
            self._load()
            found = next((key for key in self._keys.get(purpose, []) if key.kid == kid), None)
        return found if found is not None and found.verifies(purpose, real_now()) else None

    def all(self, purpose: Purpose) -> list[Key]:
        return list(self._of(purpose))

    def forget(self) -> None:
        self._read_at = 0.0

    def _of(self, purpose: Purpose) -> list[Key]:
        if time.monotonic() - self._read_at > RELOAD_S or not self._read_at:
            self._load()
        return self._keys.get(purpose, [])

    def _load(self) -> None:
        with self._lock:
            newest = select(SigningKey.__table__).order_by(SigningKey.made_at.desc())
            with autocommit_engine().connect() as connection:
                rows = connection.execute(newest).all()
            keys: dict[str, list[Key]] = {}
            for row in rows:
                private = load_pem_private_key(unseal("signing", row.sealed), None)
                assert isinstance(private, ec.EllipticCurvePrivateKey)
                keys.setdefault(row.purpose, []).append(
                    Key(row.kid, private, private.public_key(), row.retired_at)
                )
            self._keys, self._read_at = keys, time.monotonic()


def ring() -> KeyRing:
    found: KeyRing = current_app.extensions["glovebox"].keys
    return found


def ensure_keys() -> None:
    """Make the first key of each purpose where there is none; on a connection of its own, so that all see it at once."""
    with autocommit_engine().execution_options(isolation_level="READ COMMITTED").begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(7002)"))
        for purpose in Purpose:
            live = select(SigningKey.kid).where(
                SigningKey.purpose == purpose, SigningKey.retired_at.is_(None)
            )
            for _ in range(GENERATIONS.get(purpose, 1) - len(connection.execute(live).all())):
                connection.execute(insert(SigningKey).values(_made(purpose)))


def _made(purpose: Purpose) -> dict[str, Any]:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "kid": new_id("key"),
        "purpose": purpose.value,
        "sealed": seal("signing", pem),
        "made_at": real_now(),
    }


@transactional
def rotate(purpose: Purpose) -> str:
    """Retire the signing key of a purpose and make the next; what the old one signed verifies as long as it may live."""
    session.execute(text("select pg_advisory_xact_lock(7002)"))
    session.execute(
        text(
            "update signing_keys set retired_at = :now where kid in (select kid from signing_keys"
            " where purpose = :purpose and retired_at is null order by made_at desc offset :waiting)"
        ),
        {"now": real_now(), "purpose": purpose, "waiting": GENERATIONS.get(purpose, 1) - 1},
    )
    made = SigningKey(**_made(purpose))
    session.add(made)
    session.flush()
    return made.kid
