"""The people of demo and flow tests, each with a phone: they know the API and the post, and nothing else."""

import re
import secrets
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.demo_cast.caller import Caller, Refused
from app.demo_cast.street import CarOnTheStreet
from app.demo_cast.waiting import WITHIN_S, hours, inst, until
from app.kit.keys import b64

__all__ = ["PASSWORD", "Actor", "CarOnTheStreet", "Refused", "hours", "inst", "until"]

PASSWORD = "correct horse battery staple"  # noqa: S105 - of people who exist for a minute


class Actor(Caller):
    """A person with a phone: what comes to them, and their first steps."""

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

    def pair_box(self, car: str, **values: Any) -> CarOnTheStreet:
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

    def _heard(self, car: str, street: CarOnTheStreet) -> bool:
        """All it said so far may be what the broker kept, and that does not count as heard: the keys are moved.

        And seen to be back, for without them no rental ends.
        """
        if self.get(f"/cars/{car}/box")["last_heard_at"]:
            return self.get(f"/cars/{car}/state")["keys_in_glove_box"]["value"] is not False
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

    def month(self) -> str:
        """Of business time where they are, as a statement is named."""
        return f"{self.now().astimezone(ZoneInfo(self.get('/me')['time_zone'])):%Y-%m}"
