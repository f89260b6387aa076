"""What we ask of a push service: bring messages to phones, each by itself, many at a time.

PushError
├── PhoneGone          the address is dead: delete the phone's push row, unless it changed since
├── PushUnavailable    try again later; a repeat may show twice, so the app drops a known message id
│   ├── PushOverQuota  surely not sent
│   └── PushCut        surely not sent: its batch had to end before its turn
└── PushRefused        the message or our credentials are wrong: a repeat cannot help
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final, Literal, Protocol

WITHIN_S: Final = 18.0
"""So long a service takes over the messages it is given at once, however slowly it answers."""
COLLAPSE_KEY_BYTES = 64
AddressKind = Literal["fid", "fcm_token", "webpush"]


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One message for one phone.

    `data` goes to the app unshown, strings only: always `message` (its id, by which the app drops a repeat),
    and `rental` where there is one. Messages with the same `collapse_key` replace each other on the phone.
    """

    kind: AddressKind
    address: str = field(repr=False)
    title: str
    body: str
    data: Mapping[str, str]
    urgent: bool = False
    ttl: timedelta = timedelta(hours=24)
    collapse_key: str | None = None
    keys: Mapping[str, str] | None = field(default=None, repr=False)
    """Of a browser alone: `p256dh` and `auth`, as its subscription has them."""

    def __post_init__(self) -> None:
        if not self.data.get("message"):
            raise ValueError("a push message carries its message id in data['message']")
        if not self.address:
            raise ValueError("a push message needs an address")
        if len((self.collapse_key or "").encode()) > COLLAPSE_KEY_BYTES:
            raise ValueError("Apple takes collapse keys of at most 64 bytes")
        if self.ttl < timedelta(0):
            raise ValueError("a push message cannot live for less than no time")


def topic_of(collapse_key: str) -> str:
    """The collapse key as Web Push takes one (RFC 8030, 5.4): 32 characters of the URL-safe base64 alphabet."""
    digest = hashlib.sha256(collapse_key.encode()).digest()
    return base64.urlsafe_b64encode(digest)[:32].decode()


class PushError(Exception):
    """A message did not, or perhaps did not, reach the push service."""

    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False


class PhoneGone(PushError):
    """The app was removed, or the address belongs to another sender."""


class PushUnavailable(PushError):
    """The push service is down or silent; `retry_after` in seconds where it said so."""

    may_have_acted: ClassVar[bool] = True
    temporary: ClassVar[bool] = True

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PushOverQuota(PushUnavailable):
    """Too many messages at once: this one was not taken."""

    may_have_acted: ClassVar[bool] = False


class PushCut(PushUnavailable):
    """Others of its batch took all the time there was: this one was not begun."""

    may_have_acted: ClassVar[bool] = False


class PushRefused(PushError):
    """The push service will never take this message as it is."""


class Push(Protocol):
    """A push service."""

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        """Hand messages over, each by itself; of each in turn the service's id for it, or what went wrong.

        Nothing is repeated in here: a temporary error says when to come back, and the caller comes back. It ends within
        WITHIN_S for apps, and as much for browsers, with PushCut for what was not begun by then.
        """
        ...
