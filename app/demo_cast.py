"""The people of demo and flow tests, each with a phone: they know the API and the post, and nothing else."""

import hashlib
import re
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from app.cars import readings
from app.cars.models import Box
from app.kit.db import session
from app.kit.keys import b64
from app.supervisor import Supervisor

T = TypeVar("T")
PASSWORD = "correct horse battery staple"  # noqa: S105 - of people who exist for a minute
WITHIN_S = 15.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.03, 0.25


class Refused(AssertionError):
    """The API answered otherwise than the story wants."""


def until(look: Callable[[], T | None], what: str, within_s: float = WITHIN_S) -> T:
    """Look until there is something, less often the longer it takes. Raises TimeoutError that says what was awaited."""
    deadline, pause = time.monotonic() + within_s, FIRST_PAUSE_S
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within_s:.0f} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, LAST_PAUSE_S)


class Actor:
    """A person with a phone; `call` returns the decoded answer and refuses any status but the wanted."""

    def __init__(
        self, place: Supervisor, name: str, *, language: str = "en", country: str = "FR", signs: bool = False
    ) -> None:
        self.place, self.name, self.language, self.country = place, name, language, country
        self.email = f"{name.split(maxsplit=1)[0].lower()}.{uuid.uuid4().hex[:8]}@example.org"
        self.installation, self.address = str(uuid.uuid4()), f"fid-{uuid.uuid4().hex}"
        self.id = self.phone = ""
        self.access = self.refresh = ""
        self.key = ec.generate_private_key(ec.SECP256R1()) if signs else None
        self.http = requests.Session()
        self.http.trust_env = False
        self.last: requests.Response | None = None
        self.clock_off_s = 0.0

    # -- HTTP

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        want: int | tuple[int, ...] = (200, 201, 202, 204),
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """One request. Raises Refused when the status is not wanted."""
        sent = {"Accept-Language": self.language, **(headers or {})}
        if self.access:
            sent["Authorization"] = f"Bearer {self.access}"
        if method in ("POST", "PUT"):
            sent["Idempotency-Key"] = key or secrets.token_urlsafe(16)
        prepared = requests.Request(
            method, self.place.url + _path(path), headers=sent, json=body, params=query or None
        ).prepare()
        if self.key is not None and re.search(r"/(unlock|pause|lock|commands)$", path) and method == "POST":
            prepared.headers["Phone-Signature"] = self.sign(prepared)
        answer = self.http.send(prepared, timeout=40)
        self.last = answer
        wanted = (want,) if isinstance(want, int) else want
        if answer.status_code not in wanted:
            raise Refused(
                f"{self.name}: {method} {path} -> {answer.status_code}, wanted {wanted}: {answer.text[:1500]}"
            )
        return (
            answer.json()
            if answer.content and "json" in answer.headers.get("Content-Type", "")
            else answer.text or None
        )

    def sign(self, prepared: requests.PreparedRequest) -> str:
        """The phone's signature over a door command."""
        assert self.key is not None
        raw = prepared.body.encode() if isinstance(prepared.body, str) else (prepared.body or b"")
        seconds = str(int(time.time() + self.clock_off_s))
        parts = (
            prepared.method or "",
            prepared.path_url,
            prepared.headers["Idempotency-Key"],
            seconds,
            hashlib.sha256(raw).hexdigest(),
        )
        r, s = utils.decode_dss_signature(self.key.sign("\n".join(parts).encode(), ec.ECDSA(SHA256())))
        return f"{seconds}.{b64(r.to_bytes(32) + s.to_bytes(32))}"

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.call("PUT", path, body, **options)

    def patch(self, path: str, body: Any) -> Any:
        """A change on the present state."""
        self.get(path)
        assert self.last is not None
        return self.call("PATCH", path, body, headers={"If-Match": self.last.headers["ETag"]})

    def clear_licence(self, community: str, member: str) -> Any:
        """Clear a member's licence as it is now."""
        path = f"/communities/{community}/members/{member}/licence"
        self.get(path)
        assert self.last is not None
        return self.post(f"{path}/clear", headers={"If-Match": self.last.headers["ETag"]})

    def refused(self, method: str, path: str, body: Any = None, *, slug: str, **options: Any) -> Any:
        """The request must be refused with this problem; returns the document."""
        document = self.call(method, path, body, want=tuple(range(400, 505)), **options)
        if document.get("type") != f"/problems/{slug}":
            raise Refused(f"{self.name}: {method} {path} wanted {slug}, got {document}")
        return document

    # -- what comes to them

    def mail(self, containing: str = "") -> str:
        """The newest mail to this address with these words."""

        def look() -> str | None:
            mails = self.place.control("push", "GET", "mails", to=self.email)["mails"]
            texts = [str(one.get("text") or one.get("body") or one) for one in mails]
            found = [text for text in texts if containing in text]
            return found[-1] if found else None

        return until(look, f"a mail to {self.name} with {containing!r}")

    def code(self, count: int = 1) -> str:
        """The six digits of the `count`-th mail with a code."""

        def look() -> str | None:
            mails = self.place.control("push", "GET", "mails", to=self.email)["mails"]
            codes = [
                m[0] for one in mails for m in [re.findall(r"\b\d{6}\b", str(one.get("text", one)))] if m
            ]
            return codes[count - 1] if len(codes) >= count else None

        return until(look, f"code {count} for {self.name}")

    def pushes(self) -> list[Any]:
        return list(self.place.control("push", "GET", "pushes", address=self.address)["pushes"])

    def pushed(self, kind: str, rental: str | None = None, within_s: float = WITHIN_S) -> str:
        """The newest push of a kind (about a rental) to this phone, title and body."""

        def look() -> str | None:
            for one in reversed(self.pushes()):
                data = one["message"].get("data", {})
                if data.get("kind", "").split(".")[0] == kind and rental in (None, data.get("rental")):
                    note = one["message"].get("notification", {})
                    return f"{note.get('title', '')}: {note.get('body', '')}"
            return None

        return until(look, f"push {kind} to {self.name}", within_s)

    def told(self, kind: str, rental: str) -> Any:
        """The newest message of a kind about a rental, whichever way it came: a push may stand for many."""

        def look() -> Any:
            for one in self.get("/me/messages", limit=100)["items"]:
                if one["kind"].split(".")[0] == kind and one["rental"] == rental:
                    return one
            return None

        return until(look, f"message {kind} to {self.name}")

    # -- the first steps

    def register(self) -> "Actor":
        """Account, confirmed address, session, phone."""
        self.post(
            "/people",
            {
                "name": self.name,
                "email": self.email,
                "password": PASSWORD,
                "language": self.language,
                "country": self.country,
            },
            want=202,
        )
        self.post("/people/confirm", {"email": self.email, "code": self.code()}, want=204)
        self.sign_in()
        self.phone = self.post("/me/phones", self.phone_body(), want=201)["id"]
        self.renew()
        return self

    def phone_body(self) -> dict[str, Any]:
        """What the app says of this phone; its key if it signs."""
        body: dict[str, Any] = {
            "installation": self.installation,
            "platform": "android",
            "language": self.language,
            "push": {"kind": "fid", "address": self.address},
        }
        if self.key is not None:
            raw = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            body["public_key"] = b64(raw)
        return body

    def sign_in(self, **more: str) -> None:
        tokens = self.post(
            "/sessions",
            {"email": self.email, "password": PASSWORD, "installation": self.installation, **more},
            want=201,
        )
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]
        self.id = self.get("/me")["id"]

    def renew(self) -> None:
        tokens = self.post("/sessions/refresh", {"refresh_token": self.refresh})
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]

    def record_licence(self) -> None:
        self.post(
            "/me/licence",
            {
                "number": f"12AB{secrets.randbelow(10**6):06d}",
                "country": self.country,
                "classes": ["B"],
                "birth_date": "1990-04-02",
                "issued_on": "2010-05-01",
                "expires_on": "2036-05-01",
            },
            want=201,
        )

    def save_card(self, number: str = "4242424242424242", three_ds: str = "ok") -> str:
        """Save a card: the double plays the payment SDK of the app."""
        made = self.post("/me/cards", want=201)
        self.place.control(
            "stripe",
            "POST",
            "setup_intents/confirm",
            client_secret=made["client_secret"],
            card=number,
            three_ds=three_ds,
        )

        def saved() -> bool:
            items = self.get("/me/cards")["items"]
            return (made["id"], "saved") in [(one["id"], one["state"]) for one in items]

        until(saved, "the saved card")
        return str(made["id"])

    def add_car(self, **values: Any) -> str:
        number = secrets.randbelow(10**9)
        body = {
            "plate": f"GB-{number:09d}"[:12],
            "vin": f"WME45339{number:09d}",
            "make": "smart",
            "model": "EQ fortwo",
            "powertrain": "electric",
            "seats": 2,
            "country": self.country,
            "time_zone": "Europe/Paris",
            "home": {"lat": 48.8566, "lon": 2.3522, "label": "Place de la Mairie"},
            "first_registration": "2024-05-01",
            "inspection_until": "2036-05-01",
            "declared_value": {"amount": 1_500_000, "currency": "EUR"},
            **values,
        }
        return str(self.post("/cars", body, want=201)["id"])

    def pair_box(self, car: str, **values: Any) -> "CarOnTheStreet":
        """Pair a simulated OVMS box, beside it the companion of this record if one is given; put its car on the street."""
        body = {
            "kind": "simulator",
            "has_immobiliser": True,
            "key_sensor": True,
            "config": {"how": "native", "pin": "4711", "keys": {"port": 6, "present_level": 1}},
            **values,
        }
        paired = self.put(f"/cars/{car}/box", body)
        given = paired["credentials"]
        self.place.control(
            "simulator",
            "POST",
            "boxes",
            username=given["username"],
            password=given["password"],
            vehicle=given["vehicle"],
            vin="WME4533911K000001",
            profile="DEMO",
            pin="4711",
            companion=values.get("companion"),
        )
        street = CarOnTheStreet(self.place, given["username"])
        until(lambda: street.state().get("connected"), "the box at the broker")
        until(lambda: self._told(car), "what the car says of itself")
        until(lambda: self._heard(car, street), "a word of the box itself")
        return street

    def _told(self, car: str) -> bool:
        state = self.get(f"/cars/{car}/state")
        return all(state[name]["value"] is not None for name in ("locked", "charge_percent", "odometer_km"))

    def _heard(self, car: str, street: "CarOnTheStreet") -> bool:
        """All it said so far may be what the broker kept, and that does not count as heard: the keys are moved."""
        if self.get(f"/cars/{car}/box")["last_heard_at"]:
            return True
        for in_glove_box in (False, True):
            street.do("keys", in_glove_box=in_glove_box)
        return False

    def offer(self, car: str, community: str, terms: dict[str, Any] | None = None) -> None:
        """Share the car with the community, always, on these terms."""
        self.put(f"/cars/{car}/communities/{community}")
        self.put(f"/cars/{car}/communities/{community}/terms", terms or {})
        self.post(
            f"/cars/{car}/windows",
            {"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rrule": "FREQ=DAILY"},
            want=201,
        )

    def book(self, span: dict[str, Any], **more: str) -> Any:
        """A quote for the span, its conditions accepted, and the rental."""
        quote = self.post("/quotes", span, want=201)
        accept = [one["version"] for one in quote["conditions"]]
        return self.post("/rentals", {"quote": quote["id"], "accept": accept, **more}, want=201)

    def ready(self, rental: str) -> None:
        """Waits until nothing speaks against the unlock."""
        until(lambda: self.get(f"/rentals/{rental}/readiness", step="unlock")["ready"] or None, "readiness")

    def unlock(self, rental: str) -> Any:
        self.ready(rental)
        return self.post(f"/rentals/{rental}/unlock", headers={"Prefer": "wait=15"})

    def locked(self, rental: str) -> str | None:
        """What the lock answers once the rental is ended; to be asked until it is."""
        answer = self.call(
            "POST",
            f"/rentals/{rental}/lock",
            {"keys_in_glove_box": True},
            want=(200, 202, 409, 504),
            headers={"Prefer": "wait=15"},
        )
        state = self.get(f"/rentals/{rental}")["state"]
        return f"{answer.get('state')}, evidence {answer.get('evidence')}" if state == "ended" else None

    def now(self) -> datetime:
        """Business time."""
        return datetime.fromisoformat(self.place.flask("clock", "show").strip())


class CarOnTheStreet:
    """The car around a simulated box: what a driver's hands and feet do to it."""

    def __init__(self, place: Supervisor, username: str) -> None:
        self._place, self.username = place, username

    def do(self, verb: str, **body: Any) -> Any:
        return self._place.control("simulator", "POST", f"boxes/{self.username}/{verb}", **body)

    def state(self) -> Any:
        return self._place.control("simulator", "GET", f"boxes/{self.username}/state")

    def log(self) -> Any:
        return self._place.control("simulator", "GET", f"boxes/{self.username}/log")

    def fault(self, kind: str, **more: Any) -> None:
        self.do("fault", kind=kind, **more)

    def vanish(self) -> None:
        """Out of reach, and all that it said before is stored: the clock may move without having heard it since."""
        self.fault("offline")
        until(self._is_stored_as_gone, "the box to be gone")

    def _is_stored_as_gone(self) -> bool:
        """The broker's word that a box is gone comes after its own, and is stored no sooner."""
        with self._place.application().app_context():
            box = session.scalars(select(Box).where(Box.username == self.username)).one()
            return readings.value(box, "connected") is False


def _path(path: str) -> str:
    return (
        path
        if path.startswith(("/.", "/oauth", "/webhooks", "/v1", "/conditions", "/problems", "/openapi"))
        else f"/v1{path}"
    )


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def inst(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
