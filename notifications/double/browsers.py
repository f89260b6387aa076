"""Browsers that let themselves be pushed to: subscriptions with keys of their own, and the service in front of them."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from notifications.double.fcm import Answer

PATH: Final = "/webpush/"
URGENCIES: Final = ("very-low", "low", "normal", "high")


@dataclass(slots=True)
class Browser:
    """One subscription: what it was pushed, and how it answers instead."""

    key: ec.EllipticCurvePrivateKey
    secret: bytes
    pushes: list[dict[str, Any]] = field(default_factory=list)
    answer: int = 201
    times: int = 0
    retry_after: str | None = None


class Browsers:
    """All of them, and the service in front."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, Browser] = {}
        self._attempts = 0
        self._lock = threading.Lock()

    def subscribe(self) -> dict[str, Any]:
        """What a page gets from its browser and hands to the service."""
        key, secret = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        endpoint = f"{self._url}{PATH}{secrets.token_urlsafe(24)}"
        with self._lock:
            self._known[endpoint] = Browser(key, secret)
        public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": endpoint, "keys": {"p256dh": _b64(public), "auth": _b64(secret)}}

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One push: checked as services check it, opened with the browser's own key."""
        with self._lock:
            self._attempts += 1
            found = self._known.get(f"{self._url}{path}")
            if found is None:
                return Answer(404, {})
            if found.answer != 201:
                return self._instead(found)
            wrong = _wrong(headers, body, self._url)
            if wrong is not None:
                return wrong
            try:
                text = opened(body, found.key, found.secret)
            except (InvalidTag, ValueError):
                return Answer(400, {"error": "no browser could open this"})
            kept = {name: headers[name] for name in ("TTL", "Urgency", "Topic") if name in headers}
            found.pushes.append({"at": time.time(), "headers": kept, "shown": json.loads(text)})
        return Answer(201, {})

    def pushes(self, endpoint: str) -> dict[str, Any]:
        """What the browser was pushed, oldest first; `attempts` counts the refused of all."""
        with self._lock:
            return {"pushes": self._known[endpoint].pushes, "attempts": self._attempts}

    def set_fault(self, order: Mapping[str, Any]) -> None:
        """{endpoint, answer (a status), times? (0: until told otherwise), retry_after?}; 201 ends it."""
        with self._lock:
            found = self._known[order["endpoint"]]
            found.answer, found.times = int(order["answer"]), int(order.get("times", 0))
            found.retry_after = order.get("retry_after")

    def reset(self) -> None:
        """Forget all subscriptions."""
        with self._lock:
            self._known.clear()
            self._attempts = 0

    def _instead(self, found: Browser) -> Answer:
        headers = {"Retry-After": str(found.retry_after)} if found.retry_after is not None else {}
        answer = Answer(found.answer, {}, headers)
        found.times -= 1
        if found.times == 0:
            found.answer = 201
        return answer


def _wrong(headers: Mapping[str, str], body: bytes, url: str) -> Answer | None:
    """What a service refuses before it looks for the browser (RFC 8030, RFC 8292)."""
    if not headers.get("TTL", "").isdecimal():
        return Answer(400, {"error": "TTL is missing"})
    if headers.get("Urgency", "normal") not in URGENCIES or len(headers.get("Topic", "")) > 32:
        return Answer(400, {"error": "Urgency or Topic"})
    if headers.get("Content-Encoding") != "aes128gcm":
        return Answer(400, {"error": "Content-Encoding"})
    if len(body) > 4096:
        return Answer(413, {"error": "too large"})
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    parts = dict(one.strip().partition("=")[::2] for one in rest.split(","))
    if scheme != "vapid" or not _signed(parts.get("t", ""), parts.get("k", ""), url):
        return Answer(403, {"error": "VAPID"})
    return None


def _signed(token: str, key: str, url: str) -> bool:
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(key))
        claims = jwt.decode(token, ECKey.import_key(point), ["ES256"]).claims
    except (JoseError, ValueError):
        return False
    in_time = time.time() < claims.get("exp", 0) <= time.time() + 24 * 3600
    return in_time and claims.get("aud") == url and str(claims.get("sub", "")).startswith("mailto:")


def opened(body: bytes, key: ec.EllipticCurvePrivateKey, secret: bytes) -> bytes:
    """The text of a sealed message, by RFC 8291 from the reader's side; written apart from what seals."""
    salt, length = body[:16], body[20]
    sender, record = body[21 : 21 + length], body[21 + length :]
    own = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    mixed = HKDF(SHA256(), 32, secret, b"WebPush: info\0" + own + sender).derive(shared)
    content = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(mixed)
    nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(mixed)
    padded = AESGCM(content).decrypt(nonce, record, None).rstrip(b"\0")
    if not padded.endswith(b"\2"):
        raise ValueError("the only record must say that it is the last")
    return padded[:-1]


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
