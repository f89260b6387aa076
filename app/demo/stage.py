"""The stage of the story: the place, the people on it, and what they do more than once."""

import json
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from app.demo_cast import Actor, CarOnTheStreet, inst, until
from app.supervisor import Supervisor


@dataclass(slots=True)
class Telling:
    """What has been told so far, and the table it is told in."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    steps: int = 0

    def chapter(self, title: str) -> None:
        self.console.print(f"\n[bold]{title}[/bold]")

    def step(self, who: str, what: str, answer: object, heard: str = "") -> None:
        """One step that went as the story wants."""
        self.steps += 1
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(width=3, justify="right", style="dim")
        grid.add_column(width=8, style="bold")
        grid.add_column(ratio=3)
        grid.add_column(ratio=4, style="green")
        grid.add_column(ratio=4, style="cyan")
        grid.add_row(str(self.steps), who, what, str(answer), heard)
        self.console.print(grid)


def slug(document: Any) -> str:
    return f"{document['status']} {document['type'].removeprefix('/problems/')}: {document.get('detail', '')}"


def unmet(document: Any) -> str:
    """The conditions of a refusal that are not met, by name, and what to do about the first."""
    missing = [one for one in document["conditions"] if not one["met"]]
    return (
        f"{document['status']} not-ready: {', '.join(one['code'] for one in missing)}. {missing[0]['remedy']}"
    )


class Stage:
    """Olga, Max and Charlie on a place, and where their story stands."""

    def __init__(self, place: Supervisor, told: Telling) -> None:
        self.place, self.told = place, told
        self.olga = Actor(place, "Olga Owner", language="fr", signs=True)
        self.max = Actor(place, "Max Member", language="de", signs=True)
        self.charlie = Actor(place, "Charlie Stranger")
        self.ines: dict[str, Any] = {}
        self.car = self.community = self.plate = ""
        self.street: CarOnTheStreet
        self.rental: dict[str, Any] = {}

    def operator(self, *arguments: str) -> Any:
        return json.loads(self.place.flask("operator", *arguments, "--reason", "the demo"))

    def payment(self, state: str, rental: str | None = None) -> Any:
        rows = self.max.get(f"/rentals/{rental or self.rental['id']}/payments")["items"]
        return next((row for row in rows if row["state"] == state), None)

    def state(self) -> str:
        return str(self.max.get(f"/rentals/{self.rental['id']}")["state"])

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

    def span(self, begins: timedelta, ends: timedelta) -> dict[str, Any]:
        now = self.max.now()
        return {"car": self.car, "from": inst(now + begins), "to": inst(now + ends)}

    def book(self, begins: timedelta, ends: timedelta, **more: str) -> Any:
        rental = self.max.book(self.span(begins, ends), **more)
        self.olga.pushed("rental_asked")
        return self.olga.post(f"/rentals/{rental['id']}/approve")

    def ready(self, rental: Any) -> Any:
        return self.max.get(f"/rentals/{rental['id']}/readiness", step="unlock")

    def unlock(self, rental: Any) -> Any:
        return self.max.unlock(rental["id"])

    def drive(self, km: float) -> None:
        self.street.do("ignition", on=True)
        self.street.do("drive", km=km)
        self.street.do("ignition", on=False)
        until(
            lambda: self.max.get(f"/cars/{self.car}/state")["drivable"]["value"] is False or None,
            "the car to be off",
        )

    def locked(self, rental: str) -> str | None:
        return self.max.locked(rental)
