"""What Firebase Cloud Messaging does with a message: checks it as FCM does, keeps it, or fails as told."""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

BYTES: Final = 4096
FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"
TARGETS: Final = ("fid", "token", "topic", "condition")
RESERVED: Final = frozenset({"from", "message_type", "collapse_key"})


def _names(words: str) -> dict[str, Any]:
    return dict.fromkeys(words.split())


# Field names of the v1 REST reference; a None leaf is any value, a nested table an object.
FIELDS: Final[Mapping[str, Any]] = {
    **_names("name data fcm_options fid token topic condition"),
    "notification": _names("title body image"),
    "android": {
        **_names("collapse_key priority ttl restricted_package_name data fcm_options direct_boot_ok"),
        **_names("bandwidth_constrained_ok restricted_satellite_ok"),
        "notification": {
            **_names(
                "title body icon color sound tag click_action channel_id ticker sticky event_time image"
            ),
            **_names("body_loc_key body_loc_args title_loc_key title_loc_args local_only default_sound"),
            **_names("notification_priority default_vibrate_timings default_light_settings vibrate_timings"),
            **_names("visibility notification_count light_settings proxy"),
        },
    },
    "webpush": _names("headers data notification fcm_options"),
    "apns": _names("headers payload fcm_options live_activity_token"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str, text: str, *details: Mapping[str, Any], **headers: str) -> Answer:
    """An error in the form of Google's APIs."""
    body = {"code": status, "message": text, "status": code, "details": list(details)}
    return Answer(status, {"error": body}, headers)


def _fcm(code: str) -> dict[str, str]:
    return {"@type": FCM_ERROR, "errorCode": code}


def _unknown_name(path: str, name: str) -> Answer:
    text = f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
    violation = {"@type": BAD_REQUEST, "fieldViolations": [{"field": path, "description": text}]}
    return error(400, "INVALID_ARGUMENT", text, violation)


def _invalid(path: str, text: str) -> Answer:
    violation = {"@type": BAD_REQUEST, "fieldViolations": [{"field": path, "description": text}]}
    return error(400, "INVALID_ARGUMENT", text, _fcm("INVALID_ARGUMENT"), violation)


# What the control verb may ask for; the wording is FCM's.
FAULTS: Final[Mapping[str, Answer]] = {
    "unregistered": error(404, "NOT_FOUND", "Requested entity was not found.", _fcm("UNREGISTERED")),
    "not_found": error(404, "NOT_FOUND", "Requested entity was not found."),
    "quota": error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", _fcm("QUOTA_EXCEEDED")),
    "unavailable": error(503, "UNAVAILABLE", "The service is currently unavailable.", _fcm("UNAVAILABLE")),
    "internal": error(500, "INTERNAL", "Internal error encountered.", _fcm("INTERNAL")),
    "invalid": error(
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        _fcm("INVALID_ARGUMENT"),
    ),
    "sender_mismatch": error(403, "PERMISSION_DENIED", "SenderId mismatch", _fcm("SENDER_ID_MISMATCH")),
    "third_party": error(
        401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", _fcm("THIRD_PARTY_AUTH_ERROR")
    ),
    # Delivered all the same: what a repeat of the same message is for.
    "lost": error(503, "UNAVAILABLE", "The service is currently unavailable.", _fcm("UNAVAILABLE")),
}


SLOW: Final = "slow"


@dataclass(slots=True)
class _Fault:
    answer: str
    times: int
    retry_after: str | None
    seconds: float


class FakeFcm:
    """One Firebase project: the pushes it took, and the faults it was told to make."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._pushes: list[dict[str, Any]] = []
        self._faults: dict[str | None, _Fault] = {}
        self._attempts = 0
        self._lock = threading.Lock()

    def send(self, project: str, raw: bytes, at: float) -> Answer:
        """Take the body of one messages:send."""
        if project != self.project:
            return FAULTS["not_found"]
        message, wrong = read_message(raw)
        if wrong is not None:
            return wrong
        address = next(str(message[target]) for target in TARGETS if target in message)
        with self._lock:
            self._attempts += 1
            fault = self._take_fault(address)
            if fault and fault.answer not in ("lost", SLOW):
                return _with_retry_after(FAULTS[fault.answer], fault.retry_after)
            name = f"projects/{project}/messages/0:{uuid.uuid4()}"
            self._pushes.append({"name": name, "address": address, "at": at, "message": message})
        if fault and fault.answer == SLOW:
            time.sleep(fault.seconds)
            return Answer(200, {"name": name})
        return FAULTS["lost"] if fault else Answer(200, {"name": name})

    def pushes(self, address: str | None = None) -> dict[str, Any]:
        """What was delivered, oldest first, to one address or to all; `attempts` counts the refused too."""
        with self._lock:
            kept = [push for push in self._pushes if address in (None, push["address"])]
            return {"pushes": kept, "attempts": self._attempts}

    def set_fault(self, order: Mapping[str, Any]) -> None:
        """{answer, address?, times? (1; 0: until told otherwise), retry_after?, seconds?}; `none` ends it, `slow` delivers
        and answers after so many seconds.
        """
        answer, address = order["answer"], order.get("address")
        with self._lock:
            if answer == "none":
                self._faults.pop(address, None)
                return
            if answer not in (*FAULTS, SLOW):
                raise ValueError(f"answer is one of none, {SLOW}, {', '.join(FAULTS)}")
            self._faults[address] = _Fault(
                answer, int(order.get("times", 1)), order.get("retry_after"), float(order.get("seconds", 0))
            )

    def reset(self) -> None:
        """Forget pushes and faults."""
        with self._lock:
            self._pushes.clear()
            self._faults.clear()
            self._attempts = 0

    def _take_fault(self, address: str) -> _Fault | None:
        for key in (address, None):
            fault = self._faults.get(key)
            if fault:
                fault.times -= 1
                if fault.times == 0:
                    del self._faults[key]
                return fault
        return None


def read_message(raw: bytes) -> tuple[dict[str, Any], Answer | None]:
    """The message of a request body, or the error FCM answers to it."""
    try:
        body = json.loads(raw)
        message = body["message"]
        unknown = set(body) - {"message", "validate_only"}
    except (ValueError, KeyError, TypeError):
        return {}, error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    if unknown:
        return {}, _unknown_name("", min(unknown))
    if not isinstance(message, dict):
        return {}, error(400, "INVALID_ARGUMENT", "Invalid value at 'message'.")
    return message, _fault_of(message)


def _fault_of(message: Mapping[str, Any]) -> Answer | None:
    unknown = _first_unknown(message, FIELDS, "message")
    if unknown:
        return _unknown_name(*unknown)
    targets = [target for target in TARGETS if target in message]
    if len(targets) != 1:
        return _invalid("message", "Exactly one of fid, token, topic or condition must be specified.")
    data = message.get("data", {})
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return _invalid("message.data", "Invalid value at 'message.data'.")
    for key in data:
        if key in RESERVED or key.startswith(("google.", "gcm.")):
            return _invalid("message.data", f"Invalid data payload key: {key}")
    if len(json.dumps(_payload(message), ensure_ascii=False).encode()) > BYTES:
        return _invalid("message", "Android message is too big")
    if len(str(message.get("apns", {}).get("headers", {}).get("apns-collapse-id", "")).encode()) > 64:
        return _invalid("message.apns.headers", "Collapse id is too long")
    return None


def _first_unknown(value: Any, known: Mapping[str, Any], path: str) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return path, str(value)
    for name, part in value.items():
        if name not in known:
            return path, name
        if known[name] is not None:
            unknown = _first_unknown(part, known[name], f"{path}.{name}")
            if unknown:
                return unknown
    return None


def _payload(message: Mapping[str, Any]) -> dict[str, Any]:
    """What counts towards the limit: text and data, not where it goes."""
    return {name: message[name] for name in ("notification", "data") if name in message}


def _with_retry_after(answer: Answer, seconds: str | None) -> Answer:
    if seconds is None:
        return answer
    return Answer(answer.status, answer.body, {"Retry-After": str(seconds)})
