"""A circle for one flow: Olga, her car on the street, Max who may drive it; the steps that most stories share."""

from datetime import datetime
from typing import Any

import requests

from app.demo_cast import Actor, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.known import cleared, known

PRICED: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
    "late_fee": 1500,
    "cancellation": [{"hours_before": 24, "percent": 50}],
}
SILENT_BOX: dict[str, Any] = {
    "kind": "ovms",
    "has_immobiliser": True,
    "key_sensor": False,
    "config": {"how": "native", "pin": "4711"},
}
WAIT: dict[str, Any] = {"Prefer": "wait=20"}


def two(place: Supervisor, languages: tuple[str, str] = ("fr", "de")) -> tuple[Actor, Actor]:
    """An owner and a member, each with a phone."""
    return known(place, "Olga Owner", language=languages[0]), known(
        place, "Max Member", language=languages[1]
    )


class Friends:
    """Olga lends her car, free unless `terms` has prices; bookings need no approval unless the rules say so.

    `street`: there is a box in the car that speaks; without it, one is paired that nobody hears. `people`: who
    plays, where a test only books and needs nobody of its own.
    """

    def __init__(
        self,
        place: Supervisor,
        terms: dict[str, Any] | None = None,
        *,
        approval: str = "never",
        languages: tuple[str, str] = ("fr", "de"),
        rules: dict[str, Any] | None = None,
        street: bool = True,
        car: dict[str, Any] | None = None,
        people: tuple[Actor, Actor] | None = None,
        box: dict[str, Any] | None = None,
    ) -> None:
        self.place = place
        self.olga, self.max = people or two(place, languages)
        self.car = self.olga.add_car(**(car or {}))
        self.plate = self.olga.get(f"/cars/{self.car}")["plate"]
        made = {"name": "Friends", "kind": "circle", "rules": {"approval": approval, **(rules or {})}}
        self.community = self.olga.post("/communities", made, want=201)["id"]
        self.invitation = self.let_in(self.max)
        self.offer(terms or {})
        if street:
            self.street = self.olga.pair_box(self.car, **(box or {}))
        else:
            self.olga.put(f"/cars/{self.car}/box", SILENT_BOX)
        self.clear(self.max)

    def let_in(self, member: Actor, **values: Any) -> Any:
        body = {"email": member.email, "fare": "priced", **values}
        invitation = self.olga.post(f"/communities/{self.community}/invitations", body, want=201)
        member.post(f"/invitations/{invitation['code']}/accept")
        return invitation

    def clear(self, member: Actor) -> None:
        cleared(self.place, member, by=self.olga, community=self.community)

    def offer(self, terms: dict[str, Any]) -> None:
        self.olga.offer(self.car, self.community, terms)

    def set_terms(self, terms: dict[str, Any]) -> Any:
        return self.olga.put(f"/cars/{self.car}/communities/{self.community}/terms", terms)

    # -- time

    def now(self) -> datetime:
        return self.olga.now()

    def forward(self, span: str) -> None:
        """Business time moves on; the box says something, so that it counts as heard."""
        self.place.flask("clock", "forward", span)
        self.wake()

    def wake(self) -> None:
        """The box reports: the keys leave the glove box and come back."""
        self._keys(in_glove_box=False)
        self._keys(in_glove_box=True)

    def _keys(self, *, in_glove_box: bool) -> None:
        self.street.do("keys", in_glove_box=in_glove_box)
        path = f"/cars/{self.car}/state"
        until(
            lambda: self.olga.get(path)["keys_in_glove_box"]["value"] is in_glove_box, "a word from the box"
        )

    # -- booking

    def span(self, begins: float, ends: float) -> dict[str, Any]:
        """From and to, in hours from now."""
        now = self.now()
        return {"car": self.car, "from": inst(now + hours(begins)), "to": inst(now + hours(ends))}

    def day(self) -> dict[str, str]:
        """From now to this time tomorrow."""
        now = self.now()
        return {"from": inst(now), "to": inst(now + hours(24))}

    def quote(self, begins: float = 0, ends: float = 2, who: Actor | None = None) -> Any:
        return (who or self.max).post("/quotes", self.span(begins, ends), want=201)

    @staticmethod
    def booking(quote: Any) -> dict[str, Any]:
        """The body that books a quote and accepts its conditions."""
        return {"quote": quote["id"], "accept": [one["version"] for one in quote["conditions"]]}

    def book(self, begins: float = 0, ends: float = 2, who: Actor | None = None) -> str:
        driver = who or self.max
        quote = self.quote(begins, ends, driver)
        return str(driver.post("/rentals", self.booking(quote), want=201)["id"])

    def rental(self, rental: str, who: Actor | None = None) -> Any:
        return (who or self.max).get(f"/rentals/{rental}")

    def state(self, rental: str) -> str:
        return str(self.rental(rental)["state"])

    def becomes(self, rental: str, state: str, within_s: float = 15) -> Any:
        """The rental, once it is in this state."""

        def look() -> Any:
            found = self.rental(rental)
            return found if found["state"] == state else None

        try:
            return until(look, f"{rental} to be {state}", within_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: it is {self.rental(rental)}") from error

    def payment(self, rental: str, state: str) -> Any:
        """The rent payment, once it is in this state."""

        def look() -> Any:
            rows = self.max.get(f"/rentals/{rental}/payments")["items"]
            return next((row for row in rows if row["state"] == state and row["purpose"] == "rent"), None)

        return until(look, f"a payment that is {state}")

    # -- driving

    def unmet(self, rental: str, step: str = "unlock", who: Actor | None = None) -> list[str]:
        found = (who or self.max).get(f"/rentals/{rental}/readiness", step=step)["conditions"]
        return [one["code"] for one in found if not one["met"]]

    def ready(self, rental: str, who: Actor | None = None) -> None:
        try:
            until(lambda: not self.unmet(rental, "unlock", who), "readiness")
        except TimeoutError as late:
            raise TimeoutError(f"not ready: {self.unmet(rental, 'unlock', who)}") from late

    def unlock(self, rental: str, who: Actor | None = None) -> Any:
        self.ready(rental, who)
        return (who or self.max).post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)

    def drive(self, km: float) -> None:
        self.street.do("ignition", on=True)
        self.street.do("drive", km=km)
        self.park()

    def park(self) -> None:
        """The ignition is off and all is known of it."""
        self.street.do("ignition", on=False)
        wanted = int(self.street.state()["car"]["odometer_km"])

        def seen() -> bool:
            state = self.olga.get(f"/cars/{self.car}/state")
            return state["drivable"]["value"] is False and int(state["odometer_km"]["value"] or 0) >= wanted

        until(seen, "the car to be off")

    def lock(self, rental: str, **options: Any) -> Any:
        body = {"keys_in_glove_box": True}
        return self.max.post(f"/rentals/{rental}/lock", body, headers=WAIT, **({"want": 200} | options))

    def lent(self, begins: float = 0, ends: float = 2) -> str:
        """A rental that is out."""
        rental = self.book(begins, ends)
        self.unlock(rental)
        return rental

    def commands(self, kind: str) -> list[Any]:
        """What the box itself has logged of one kind of command."""
        return [one for one in self.street.log() if one["line"].split()[0] == kind]


def partner_token(place: Supervisor, client: dict[str, Any]) -> str:
    form = {"grant_type": "client_credentials", **{n: client[n] for n in ("client_id", "client_secret")}}
    answer = requests.post(f"{place.url}/oauth/token", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def bare(who: Actor, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
    """A signed-in request with no header but those named."""
    sent = {"Authorization": f"Bearer {who.access}"} | {n.replace("_", "-"): v for n, v in headers.items()}
    return who.http.request(method, f"{who.place.url}/v1{path}", json=body, headers=sent, timeout=40)
