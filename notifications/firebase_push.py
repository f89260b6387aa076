"""Messages to phones through Firebase Cloud Messaging.

Left to itself the SDK repeats a 429, 500 or 503 four times and sleeps out a Retry-After before each repeat, whatever
the time limit says: its repeats are switched off here, and who calls comes back in his own time. Its address is
fixed, so a test points it at a double with HTTPS_PROXY and REQUESTS_CA_BUNDLE.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import firebase_admin
from firebase_admin import credentials, messaging
from firebase_admin import exceptions as firebase
from google.auth import exceptions as google_auth
from google.auth.transport.requests import Request
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from notifications import in_time
from notifications.push import (
    WITHIN_S,
    PhoneGone,
    PushCut,
    PushError,
    PushMessage,
    PushOverQuota,
    PushRefused,
    PushUnavailable,
    topic_of,
)

AT_ONCE = 100
"""So many threads, and connections that are kept."""
BYTES = 4096
"""FCM's limit for text and data of a message; the SDK does not look."""
QUOTA_WAIT_S = 60.0
"""Where FCM names no time to come back: firebase.google.com/docs/cloud-messaging/scale-fcm, "Handling retries"."""
URGENT_CHANNEL = "urgent"
QUIET_CHANNEL = "default"

# What the SDK raises, most special first: QuotaExceededError and its like are children of the general ones.
_TEMPORARY = (
    firebase.UnavailableError,
    firebase.InternalError,
    firebase.DeadlineExceededError,
    firebase.AbortedError,
    firebase.CancelledError,
    firebase.UnknownError,
)


class FirebasePush:
    """The real push service, for one Firebase project."""

    def __init__(
        self,
        service_account: Mapping[str, Any],
        *,
        timeout: float = 10.0,
        within_s: float = WITHIN_S,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        """Take the parsed service account file; `timeout` is for one answer, `within_s` for all messages of a call,
        `real_time` gives Unix seconds for Apple's expiry.
        """
        self._real_time, self._timeout, self._within_s = real_time, timeout, within_s
        project = str(service_account["project_id"])
        self._app = firebase_admin.initialize_app(
            credentials.Certificate(dict(service_account)),
            {"projectId": project, "httpTimeout": timeout},
            name=f"glovebox-{project}-{id(self)}",
        )
        # The SDK has no setting for its repeats. A connection that could not be made is tried once more.
        once = Retry(total=None, connect=1, read=0, redirect=0, status=0, other=0, raise_on_status=False)
        http = messaging._get_messaging_service(self._app)._client.session  # noqa: SLF001
        http.mount("https://fcm.googleapis.com", _Http(AT_ONCE, AT_ONCE, max_retries=once))

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        """Hand messages to FCM; of each its name there, or the error."""
        until = time.monotonic() + self._within_s
        for signed_in in in_time.each(messages[:1], self._sign_in, at_once=1, until=until):
            if isinstance(signed_in, PushError):
                return [signed_in] * len(messages)
        came: list[str | PushError] = []
        for first in range(0, len(messages), AT_ONCE):
            some = messages[first : first + AT_ONCE]
            found = in_time.each(some, self._send, at_once=AT_ONCE, until=until)
            came += found
            if all(isinstance(one, PushError) and one.temporary for one in found):
                break
        return came + [PushCut("it took none of those before")] * (len(messages) - len(came))

    def _send(self, message: PushMessage) -> str | PushError:
        refused = _wrong(message)
        if refused is not None:
            return refused
        try:
            return str(messaging.send(self._encoded(message), app=self._app))
        except google_auth.GoogleAuthError as error:
            return _ours_for_sign_in(error)
        except firebase.FirebaseError as error:
            return _ours(error)
        except ValueError as error:
            return PushRefused(f"the SDK refused the message: {error}")

    def _sign_in(self, first: PushMessage) -> str | PushError:
        """Once for all threads, each of which would fetch a token of its own; left to itself it waits for minutes."""
        try:
            credential = self._app.credential.get_credential()
            if not credential.valid:
                credential.refresh(partial(Request(), timeout=self._timeout))
        except google_auth.GoogleAuthError as error:
            return _ours_for_sign_in(error)
        return first.data["message"]

    def close(self) -> None:
        """Give the SDK's connections back."""
        firebase_admin.delete_app(self._app)

    def _encoded(self, message: PushMessage) -> messaging.Message:
        encoded = messaging.Message(
            data=dict(message.data),
            notification=messaging.Notification(title=message.title, body=message.body),
            android=_android(message),
            apns=_apns(message, int(self._real_time())),
            webpush=_web(message),
        )
        # Set afterwards: naming a token in the constructor warns that FIDs are to be preferred, and warnings
        # are errors here; apps that have no FID yet still register a token.
        if message.kind == "fid":
            encoded.fid = message.address
        else:
            encoded.token = message.address
        return encoded


class _Http(HTTPAdapter):
    """Through a proxy urllib3 leaves Nagle's algorithm on: 40 ms for each request, whose body follows its head."""

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        return super().proxy_manager_for(*args, socket_options=at_once, **kwargs)


def _android(message: PushMessage) -> messaging.AndroidConfig:
    return messaging.AndroidConfig(
        priority="high" if message.urgent else "normal",
        ttl=message.ttl,
        collapse_key=message.collapse_key,
        notification=messaging.AndroidNotification(
            tag=message.collapse_key,
            channel_id=URGENT_CHANNEL if message.urgent else QUIET_CHANNEL,
            visibility="private",
        ),
    )


def _apns(message: PushMessage, now: int) -> messaging.APNSConfig:
    headers = {
        "apns-push-type": "alert",
        "apns-priority": "10" if message.urgent else "5",
        "apns-expiration": str(now + int(message.ttl.total_seconds())),
    }
    if message.collapse_key:
        headers["apns-collapse-id"] = message.collapse_key
    level = "time-sensitive" if message.urgent else "active"
    aps = messaging.Aps(
        category=message.data.get("kind"),
        thread_id=message.data.get("rental"),
        mutable_content=True,
        custom_data={"interruption-level": level},
    )
    return messaging.APNSConfig(headers=headers, payload=messaging.APNSPayload(aps))


def _web(message: PushMessage) -> messaging.WebpushConfig:
    headers = {
        "TTL": str(int(message.ttl.total_seconds())),
        "Urgency": "high" if message.urgent else "normal",
    }
    if message.collapse_key:
        headers["Topic"] = topic_of(message.collapse_key)
    return messaging.WebpushConfig(headers=headers)


def _wrong(message: PushMessage) -> PushRefused | None:
    if message.kind == "webpush":
        return PushRefused("FCM does not deliver Web Push subscriptions")
    counted = {"notification": {"title": message.title, "body": message.body}, "data": dict(message.data)}
    if len(json.dumps(counted, ensure_ascii=False).encode()) > BYTES:
        return PushRefused(f"text and data are too big: more than {BYTES} bytes")
    return None


def _ours(error: firebase.FirebaseError) -> PhoneGone | PushUnavailable | PushRefused:
    if isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError):
        return PhoneGone(str(error))
    if isinstance(error, messaging.QuotaExceededError | firebase.ResourceExhaustedError):
        return PushOverQuota(str(error), retry_after=_retry_after(error) or QUOTA_WAIT_S)
    if isinstance(error, _TEMPORARY):
        return PushUnavailable(str(error), retry_after=_retry_after(error))
    if isinstance(error, firebase.InvalidArgumentError) and _blames_the_address(error):
        return PhoneGone(str(error))
    # A 404 without an FCM detail is a wrong project, a 401 or 403 our credentials: the phone is still there.
    return PushRefused(str(error))


def _ours_for_sign_in(error: google_auth.GoogleAuthError) -> PushUnavailable | PushRefused:
    if isinstance(error, google_auth.TransportError) or error.retryable:
        return PushUnavailable(f"no access token: {error}")
    return PushRefused(f"no access token: {error}")


def _retry_after(error: firebase.FirebaseError) -> float | None:
    response = error.http_response
    value = "" if response is None else str(response.headers.get("Retry-After", ""))
    return float(value) if value.isdecimal() else None


def _blames_the_address(error: firebase.FirebaseError) -> bool:
    """Whether a 400 is about the address: INVALID_ARGUMENT is also said of a payload that is ours to mend."""
    try:
        details = error.http_response.json()["error"]["details"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    try:
        fields = {one.get("field") for detail in details for one in detail.get("fieldViolations", [])}
    except (AttributeError, TypeError):
        return False
    if fields:
        return fields <= {"message.token", "message.fid"}
    return "is not a valid FCM registration token" in str(error)
