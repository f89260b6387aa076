"""Sample data for an insurer's engineer: two months of a car's covers, every kind of them, a closed month, a claim."""

from datetime import datetime
from typing import Any

import requests
from dateutil.relativedelta import relativedelta

from app.coverage.partners import SCOPES
from app.demo.stage import Stage
from app.demo_cast import Actor, CarOnTheStreet, hours, inst, until

CLOSED = 7
"""The day of a month on which the bordereaux of the month before are there, in every zone."""
PATIENCE_S = 90
"""A leap of weeks leaves the workers all that fell due in them."""


class Sandbox:
    """Petra's car, which Nils borrows for free: a circle of its own, so that the story's people stay as they are."""

    def __init__(self, on: Stage) -> None:
        self.on = on
        self.petra = Actor(on.place, "Petra Parker", signs=True)
        self.nils = Actor(on.place, "Nils Neighbour", signs=True)
        self.car = ""
        self.street: CarOnTheStreet

    def meet(self) -> None:
        for actor in (self.petra, self.nils):
            actor.register()
        self.car = self.petra.add_car()
        self.street = self.petra.pair_box(self.car)
        circle = self.petra.post("/communities", {"name": "The yard", "kind": "circle"}, want=201)["id"]
        body = {"email": self.nils.email}
        invited = self.petra.post(f"/communities/{circle}/invitations", body, want=201)
        self.nils.post(f"/invitations/{invited['code']}/accept")
        self.nils.record_licence()
        self.petra.clear_licence(circle, self.nils.id)
        self.petra.offer(self.car, circle, {"extension": "auto"})

    def book(self, ends: float) -> str:
        now = self.nils.now()
        span = {"car": self.car, "from": inst(now), "to": inst(now + hours(ends))}
        rental = str(self.nils.book(span)["id"])
        if self._shown(rental)["state"] == "requested":
            self.petra.post(f"/rentals/{rental}/approve")
        return rental

    def unlock(self, rental: str) -> None:
        self.nils.unlock(rental)
        until(lambda: self._shown(rental)["state"] == "active" or None, "the opened door")

    def lock(self, rental: str) -> None:
        until(lambda: self.nils.locked(rental), "the lock")

    def _shown(self, rental: str) -> Any:
        return self.nils.get(f"/rentals/{rental}")

    def forward(self, span: str) -> None:
        """Business time moves on, and both boxes say something, so that they count as heard."""
        self.on.place.flask("clock", "forward", span)
        for street in (self.street, self.on.street):
            for in_glove_box in (False, True):
                street.do("keys", in_glove_box=in_glove_box)

    # -- covers, one of each kind

    def ended(self) -> None:
        rental = self.book(2)
        self.unlock(rental)
        self.forward("50m")
        self.lock(rental)

    def extended_and_late(self) -> None:
        rental = self.book(1)
        self.unlock(rental)
        longer = {"rental": rental, "to": inst(self.nils.now() + hours(2))}
        quote = self.nils.post("/quotes", longer, want=201)
        self.nils.post(f"/rentals/{rental}/extend", {"quote": quote["id"]})
        self.forward("150m")
        self.nils.pushed("rental_late", rental, within_s=PATIENCE_S)
        self.lock(rental)

    def void(self) -> None:
        rental = self.book(1)
        self.nils.ready(rental)
        self.street.fault("refuse", times=1)
        self.nils.refused(
            "POST", f"/rentals/{rental}/unlock", slug="box-refused", headers={"Prefer": "wait=15"}
        )
        self.nils.post(f"/rentals/{rental}/cancel", {"reason": "the door stays shut"})

    def active(self) -> None:
        self.unlock(self.book(48))


def fill(on: Stage) -> dict[str, Any]:
    """Two months of covers of the story's insurer; returns a client of it that may do everything."""
    on.told.chapter("A sandbox for an insurer's engineer")
    box = Sandbox(on)
    box.meet()
    box.ended()
    box.extended_and_late()
    box.void()
    box.forward(_to_next_month(box.nils.now()))
    box.ended()
    box.active()
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    client: dict[str, Any] = on.operator(
        "insurer", "client", on.ines["insurer"], "--label", "sandbox", *scopes
    )
    desk = Desk(on, client)
    ended = until(lambda: desk.items("covers", state="closed"), "the covers", PATIENCE_S)[0]
    claim = desk.claim(ended)
    months = until(lambda: desk.items("bordereaux"), "the bordereaux", PATIENCE_S)
    heads = until(lambda: desk.items("signed-heads"), "a signed head", PATIENCE_S)
    kinds = sorted({one["state"] for one in desk.items("covers")})
    on.told.step(
        "Ines",
        "finds covers, a closed month, a signed head, a claim",
        f"{', '.join(kinds)}; {months[0]['month']}; head {heads[0]['number']}; {claim['id']}",
    )
    return client


def _to_next_month(now: datetime) -> str:
    """From here to the day on which this month is closed, as the clock command reads a span."""
    then = now + relativedelta(months=1, day=CLOSED, hour=9)
    return f"{int((then - now).total_seconds())}s"


class Desk:
    """An insurer's client at its API."""

    def __init__(self, on: Stage, client: dict[str, Any]) -> None:
        form = {"grant_type": "client_credentials"}
        proof = client["client_id"], client["client_secret"]
        answer = requests.post(f"{on.place.url}/oauth/token", data=form, auth=proof, timeout=10)
        self._base = f"{on.place.url}/v1/insurer"
        self._bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self._base}/{path}", params=query, headers=self._bearer, timeout=10)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def claim(self, cover: dict[str, Any]) -> dict[str, Any]:
        notice = {
            "cover": cover["id"],
            "occurred_at": cover["from"],
            "reference": "SANDBOX-1",
            "text": "A scratch at the rear bumper.",
        }
        answer = requests.post(f"{self._base}/claims", json=notice, headers=self._bearer, timeout=10)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made
