"""Messages to phones through Firebase Cloud Messaging.

The SDK repeats a 500 or 503 four times by itself and sleeps out a Retry-After before each repeat, whatever
the time limit says: call `send` from a worker, never from a request. Its address is fixed, so a test points
it at a double with HTTPS_PROXY and REQUESTS_CA_BUNDLE.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import firebase_admin
from firebase_admin import credentials, messaging
from firebase_admin import exceptions as firebase
from google.auth import exceptions as google_auth

from notifications.push import PhoneGone, PushMessage, PushOverQuota, PushRefused, PushUnavailable

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
        real_time: Callable[[], float] = time.time,
    ) -> None:
        """Take the parsed service account file; `real_time` gives Unix seconds for Apple's expiry."""
        self._real_time = real_time
        project = str(service_account["project_id"])
        self._app = firebase_admin.initialize_app(
            credentials.Certificate(dict(service_account)),
            {"projectId": project, "httpTimeout": timeout},
            name=f"glovebox-{project}-{id(self)}",
        )

    def send(self, message: PushMessage) -> str:
        """Hand one message to FCM and answer its name there."""
        if message.kind == "webpush":
            raise PushRefused("FCM does not deliver Web Push subscriptions")
        try:
            return str(messaging.send(self._encoded(message), app=self._app))
        except firebase.FirebaseError as error:
            raise _ours(error) from error
        except google_auth.GoogleAuthError as error:
            raise _ours_for_sign_in(error) from error
        except ValueError as error:
            raise PushRefused(f"the SDK refused the message: {error}") from error

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
        # RFC 8030, 5.4: at most 32 characters of the URL-safe base64 alphabet.
        digest = hashlib.sha256(message.collapse_key.encode()).digest()
        headers["Topic"] = base64.urlsafe_b64encode(digest)[:32].decode()
    return messaging.WebpushConfig(headers=headers)


def _ours(error: firebase.FirebaseError) -> PhoneGone | PushUnavailable | PushRefused:
    if isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError):
        return PhoneGone(str(error))
    if isinstance(error, messaging.QuotaExceededError | firebase.ResourceExhaustedError):
        return PushOverQuota(str(error), retry_after=_retry_after(error))
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
    fields = {violation.get("field") for detail in details for violation in detail.get("fieldViolations", [])}
    if fields:
        return fields <= {"message.token", "message.fid"}
    return "is not a valid FCM registration token" in str(error)
