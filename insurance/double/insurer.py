"""An insurer's books: the covers it was told of, and the moods it can be put in."""

import base64
import binascii
import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

Body = Mapping[str, Any]
# What a mood does to a report; `normal` ends it, and each lasts for `times` reports (0: until told otherwise).
MOODS: Final = ("normal", "down", "busy", "broken", "slow", "refuse", "lose", "drop", "pending", "alter")
REQUIRED: Final = frozenset(
    (
        *(
            "cover",
            "version",
            "state",
            "policy_number",
            "country",
            "car",
            "driver_ref",
            "named_drivers",
            "left_territory",
            "planned",
            "liability",
        ),
        *("own_damage", "recorded_at", "covered_minutes", "charged_minutes", "charged_km", "km_from"),
        *("premium", "end_evidence"),
    )
)
STATES: Final = frozenset({"conditional", "bound", "active", "closed", "void"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `lost` closes the line instead, `delay` seconds late."""

    status: int
    body: Body = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lost: bool = False


@dataclass(slots=True)
class _Mood:
    name: str = "normal"
    times: int = 0
    seconds: float = 0.0
    code: str = "declined"


class FakeInsurer:
    """Takes covers idempotently, as the API named in `http_partner.py` says."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._client = (client_id, client_secret)
        self._tokens: set[str] = set()
        self._held: dict[tuple[str, int], dict[str, Any]] = {}
        self._keys: dict[str, tuple[str, int]] = {}
        self._heads: dict[int, str] = {}
        self._mood = _Mood()
        self._duplicates = 200
        self._requests = 0
        self._lock = threading.Lock()

    def token(self, authorization: str | None, form: bytes) -> Answer:
        """RFC 6749, 4.4, with HTTP Basic."""
        if parse_qs(form.decode("ascii", "replace")).get("grant_type") != ["client_credentials"]:
            return Answer(400, {"error": "unsupported_grant_type"})
        if _basic(authorization) != self._client:
            return Answer(401, {"error": "invalid_client"})
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 600})

    def knows(self, authorization: str | None) -> bool:
        return (authorization or "").removeprefix("Bearer ") in self._tokens

    def report(self, key: str | None, report: Any, at: float) -> Answer:
        """POST /covers."""
        wrong = _wrong(report)
        if not key or wrong:
            return Answer(400, {"error": wrong or "Idempotency-Key is missing"})
        with self._lock:
            self._requests += 1
            mood = self._take_mood()
            refusal = _before_the_books(mood)
            if refusal is not None:
                return refusal
            answer = self._written(key, report, at, mood)
            delay = mood.seconds if mood.name == "slow" else 0.0
            return Answer(answer.status, answer.body, delay=delay, lost=mood.name == "lose")

    def read(self, cover: str, version: str) -> Answer:
        """GET /covers/{cover}/versions/{version}."""
        with self._lock:
            if self._mood.name in ("down", "busy", "broken", "drop"):
                return _before_the_books(self._mood) or Answer(503)
            held = self._held.get((cover, int(version))) if version.isdecimal() else None
            return Answer(404, {"error": "unknown"}) if held is None else Answer(200, held)

    def keep_head(self, number: int, body: Any) -> Answer:
        """PUT /log-heads/{number}."""
        if not isinstance(body, dict) or set(body) != {"head"}:
            return Answer(400, {"error": "the body is to be {head}"})
        with self._lock:
            refusal = _before_the_books(self._take_mood())
            if refusal is not None:
                return refusal
            kept = self._heads.setdefault(number, body["head"])
        return Answer(204 if kept == body["head"] else 409)

    def heads(self) -> Body:
        """The signed heads of the log that were handed over, by number."""
        with self._lock:
            return {"heads": [self._heads[number] for number in sorted(self._heads)]}

    def covers(self, cover: str | None = None) -> Body:
        """Everything held, in the order of arrival; `requests` counts the reports that asked."""
        with self._lock:
            held = [one for (name, _), one in self._held.items() if cover in (None, name)]
            return {"covers": held, "requests": self._requests}

    def set_mood(self, order: Body) -> None:
        """{answer, times?, seconds?, code?, duplicates? 200|409}."""
        name = order.get("answer", "normal")
        if name not in MOODS or order.get("duplicates", 200) not in (200, 409):
            raise ValueError(f"answer is one of {', '.join(MOODS)}; duplicates is 200 or 409")
        with self._lock:
            self._duplicates = order.get("duplicates", self._duplicates)
            self._mood = _Mood(
                name,
                int(order.get("times", 0)),
                float(order.get("seconds", 2.0)),
                str(order.get("code", "declined")),
            )

    def decide(self, order: Body) -> None:
        """{cover, version, decision accepted|pending|refused, code?}: the insurer's later word."""
        if order["decision"] not in ("accepted", "pending", "refused"):
            raise ValueError("decision is accepted, pending or refused")
        with self._lock:
            held = self._held[order["cover"], order["version"]]
            held |= {"decision": order["decision"], "code": order.get("code", "declined")}

    def forget_tokens(self) -> None:
        self._tokens.clear()

    def reset(self) -> None:
        """Empty books, normal mood."""
        with self._lock:
            self._held.clear()
            self._keys.clear()
            self._heads.clear()
            self._mood = _Mood()
            self._duplicates = 200
            self._requests = 0

    def _take_mood(self) -> _Mood:
        mood = self._mood
        if mood.times:
            left = mood.times - 1
            self._mood = _Mood(mood.name, left, mood.seconds, mood.code) if left else _Mood()
        return mood

    def _written(self, key: str, report: dict[str, Any], at: float, mood: _Mood) -> Answer:
        place = (report["cover"], report["version"])
        if key in self._keys or place in self._held:
            held = self._held[self._keys.get(key, place)]
            same = held["report"] == report and self._keys.get(key) == place
            status = self._duplicates if same else 409
            return Answer(status, {name: held[name] for name in ("decision", "reference", "at")})
        held = {
            "report": report | {"driver_ref": "altered"} if mood.name == "alter" else report,
            "decision": "pending" if mood.name == "pending" else "accepted",
            "reference": f"INS-{uuid.uuid4().hex[:12]}",
            "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        }
        self._held[place] = held
        self._keys[key] = place
        return Answer(201, {name: held[name] for name in ("decision", "reference", "at")})


def _before_the_books(mood: _Mood) -> Answer | None:
    """The moods in which nothing is written down."""
    match mood.name:
        case "down":
            return Answer(503, {"error": "maintenance"}, {"Retry-After": "7"})
        case "busy":
            return Answer(429, {"error": "slow down"}, {"Retry-After": "3"})
        case "broken":
            return Answer(500, {"error": "oops"})
        case "drop":
            return Answer(500, lost=True)
        case "refuse":
            return Answer(422, {"code": mood.code, "detail": "The insurer declines this risk."})
    return None


def _wrong(report: Any) -> str | None:
    if not isinstance(report, dict) or set(report) != REQUIRED:
        return "the report holds more or less than it should"
    if not isinstance(report["version"], int) or report["state"] not in STATES:
        return "version or state cannot be read"
    liability = report["liability"]
    if not isinstance(liability, dict) or set(liability) != {"from", "to"}:
        return "liability is to be {from, to}"
    return None


def _basic(authorization: str | None) -> tuple[str, str]:
    scheme, _, value = (authorization or "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, password) if scheme == "Basic" else ("", "")
