"""Messages to browsers by Web Push (RFC 8030), sealed for each, signed with our VAPID key (RFC 8292).

The endpoint is whatever a browser's app has registered: the way out is given by whoever makes this door, and looks at it.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from notifications import aes128gcm, in_time
from notifications.push import (
    WITHIN_S,
    PhoneGone,
    PushError,
    PushMessage,
    PushOverQuota,
    PushRefused,
    PushUnavailable,
    topic_of,
)

AT_ONCE: Final = 16
QUOTA_WAIT_S: Final = 60.0
SIGNED_FOR_S: Final = 12 * 3600
"""RFC 8292 allows a day."""
_GONE: Final = (404, 410)


class Post(Protocol):
    """The way out."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        """One try: status and Retry-After. Raises OSError where no answer came, ValueError for a place we never go to."""
        ...


class WebPush:
    """The push services of all browsers, under one VAPID key."""

    def __init__(
        self,
        key: str,
        contact: str,
        post: Post,
        *,
        within_s: float = WITHIN_S,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        """`key`: base64url of the 32 bytes of a P-256 private key; `contact`: a mailto: or https: URL for the services;
        `within_s` is for all messages of a call.
        """
        private = ec.derive_private_key(int.from_bytes(unb64(key)), ec.SECP256R1())
        self._key = ECKey.import_key(private)
        self._public = b64(aes128gcm.raw(private.public_key()))
        self._contact, self._post = contact, post
        self._within_s, self._real_time = within_s, real_time
        self._signed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        """Hand messages to the browsers' services, a few at a time; a service has no id for them, so ours comes back."""
        until = time.monotonic() + self._within_s
        return in_time.each(messages, self._send, at_once=AT_ONCE, until=until)

    def _send(self, message: PushMessage) -> str | PushError:
        try:
            body = _sealed(message)
        except (KeyError, ValueError) as error:
            return PhoneGone(f"no subscription that could be written to: {error}")
        except PushError as error:
            return error
        try:
            status, retry_after = self._post(message.address, body, self._headers(message))
        except OSError as error:
            return PushUnavailable(f"no answer: {type(error).__name__}")
        except ValueError as error:
            return PushRefused(f"not written to: {error}")
        return _said(status, retry_after) or message.data["message"]

    def _headers(self, message: PushMessage) -> dict[str, str]:
        headers = {
            "Authorization": f"vapid t={self._token(message.address)}, k={self._public}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(message.ttl.total_seconds())),
            "Urgency": "high" if message.urgent else "normal",
        }
        if message.collapse_key:
            headers["Topic"] = topic_of(message.collapse_key)
        return headers

    def _token(self, endpoint: str) -> str:
        """One for each service, kept while it is good for an hour more."""
        parts = urlsplit(endpoint)
        origin, now = f"{parts.scheme}://{parts.netloc}", self._real_time()
        with self._lock:
            until, token = self._signed.get(origin, (0.0, ""))
            if until < now + 3600:
                until = now + SIGNED_FOR_S
                claims = {"aud": origin, "exp": int(until), "sub": self._contact}
                token = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)
                self._signed[origin] = (until, token)
        return token


def _sealed(message: PushMessage) -> bytes:
    shown = {"title": message.title, "body": message.body, "data": dict(message.data)}
    if message.collapse_key:
        shown["tag"] = message.collapse_key
    text = json.dumps(shown, ensure_ascii=False).encode()
    if len(text) > aes128gcm.MOST:
        raise PushRefused(f"text and data are too big: more than {aes128gcm.MOST} bytes")
    keys = message.keys or {}
    return aes128gcm.seal(text, unb64(keys["p256dh"]), unb64(keys["auth"]))


def _said(status: int, retry_after: str | None) -> PushError | None:
    wait = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    if 200 <= status < 300:
        return None
    if status in _GONE:
        return PhoneGone(str(status))
    if status == 429:
        return PushOverQuota(str(status), retry_after=wait or QUOTA_WAIT_S)
    if status >= 500:
        return PushUnavailable(str(status), retry_after=wait)
    # 400, 401, 403 are our request or our key, 413 our size: the browser is still there
    return PushRefused(str(status))


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
