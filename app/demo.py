"""The demo: the whole story over HTTP on real parts: who, what, the answer that matters, who heard of it."""

import argparse
import json
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests
from joserfc import jws
from joserfc.jwk import KeySet
from rich.console import Console
from rich.table import Table

from app.demo_cast import Actor, CarOnTheStreet, hours, inst, until
from app.kit.config import from_environment
from app.supervisor import ROOT, PartFailedError, Supervisor

FOLDER = ROOT / ".var" / "demo"
PRICED: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
    "late_fee": 1500,
    "cancellation": [{"hours_before": 24, "percent": 50}],
}
POLICY: dict[str, Any] = {
    "version": 1,
    "insurer": {"name": "Exemple Assurances", "address": "1 rue de la Paix, 75002 Paris"},
    "policyholder": "Glovebox",
    "countries": ["FR"],
    "territory": ["FR", "BE", "DE", "CH"],
    "currency": "EUR",
    "valid_from": "2026-01-01T00:00:00+01:00",
    "valid_to": "2040-01-01T00:00:00+01:00",
    "min_driver_age": 21,
    "min_licence_years": 2,
    "licence_classes": ["B"],
    "clearance": "owner",
    "powertrains": ["electric", "petrol"],
    "max_declared_value": 5_000_000,
    "needs_immobiliser": True,
    "needs_valid_inspection": True,
    "liability_until": "lock",
    "late": {"rule": "lock"},
    "mode": "delegated",
    "max_open_unacknowledged": 10_000,
    "max_unacknowledged_age_hours": 720,
    "max_rental_days": 30,
    "conditions": ["insurance-2026-1"],
    "premium": {"per": "hour", "amount": 150, "day_cap": 900, "minimum_minutes": 60, "basis": "covered"},
}
SCOPES = ("coverage:read", "coverage:lookup")


@dataclass(slots=True)
class Telling:
    """What has been told so far, and the table it is told in."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    steps: int = 0
    table: Table | None = None

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


def _slug(document: Any) -> str:
    return f"{document['status']} {document['type'].removeprefix('/problems/')}: {document.get('detail', '')}"


class Story:
    """Olga lends her car to Max; an insurer looks on. Each chapter is one method; a step that fails ends it all."""

    def __init__(self, place: Supervisor, told: Telling) -> None:
        self.place, self.told = place, told
        self.olga = Actor(place, "Olga Owner", language="fr", signs=True)
        self.max = Actor(place, "Max Member", language="de", signs=True)
        self.charlie = Actor(place, "Charlie Stranger")
        self.ines: dict[str, Any] = {}
        self.car = self.community = self.plate = ""
        self.street: CarOnTheStreet
        self.rental: dict[str, Any] = {}

    def tell(self) -> None:
        for chapter in (
            self.set_up,
            self.meet,
            self.own,
            self.invite,
            self.offer,
            self.free_loan,
            self.get_ready,
            self.book,
            self.drive,
            self.wrong_turns,
            self.settle,
            self.insurer,
        ):
            chapter()

    def set_up(self) -> None:
        self.told.chapter("The place is set up from the command line, no SQL by hand")
        made = self._operator("insurer", "add", f"Exemple Assurances {time.time_ns()}")
        policy = {**POLICY, "number": f"FR-{time.time_ns() % 10**9}"}
        file = self.place.folder / "master-policy.json"
        file.write_text(json.dumps(policy), "utf-8")
        added = self._operator("policy", "add", made["insurer"], str(file))
        self._operator("policy", "activate", added["policy"])
        scopes = [part for scope in SCOPES for part in ("--scope", scope)]
        self.ines = self._operator("insurer", "client", made["insurer"], "--label", "claims desk", *scopes)
        self.told.step(
            "operator", "adds an insurer, its master policy and a client", f"policy {policy['number']} active"
        )

    def _operator(self, *arguments: str) -> Any:
        return json.loads(self.place.flask("operator", *arguments, "--reason", "the demo"))

    def meet(self) -> None:
        self.told.chapter("Two people, two phones")
        for actor in (self.olga, self.max, self.charlie):
            actor.register()
            words = f"code {actor.code()} by e-mail"
            self.told.step(
                actor.name.split()[0],
                "registers, confirms the address, signs in, registers the phone",
                actor.id,
                words,
            )

    def own(self) -> None:
        self.told.chapter("Olga's car and its box")
        self.car = self.olga.add_car()
        self.plate = self.olga.get(f"/cars/{self.car}")["plate"]
        self.told.step("Olga", "adds her smart", f"{self.plate}, {self.car}")
        self.street = self.olga.pair_box(self.car)
        self.told.step("Olga", "pairs its OVMS box", f"{self.street.username} heard over MQTT")
        for kind in ("ping", "unlock", "lock"):
            done = self.olga.post(f"/cars/{self.car}/commands", {"kind": kind}, headers={"Prefer": "wait=15"})
            self.told.step(
                "Olga",
                f"{kind}s her own car" if kind != "ping" else "pings her own car",
                f"{done['state']}, evidence {done['evidence']}",
            )

    def invite(self) -> None:
        self.told.chapter("A community")
        made = self.olga.post("/communities", {"name": "Friends of the smart", "kind": "circle"}, want=201)
        self.community = made["id"]
        invited = self.olga.post(
            f"/communities/{self.community}/invitations",
            {"email": self.max.email, "fare": "priced"},
            want=201,
        )
        self.told.step("Olga", "invites Max by e-mail", invited["url"], "Max: " + self.max.pushed("invited"))
        seen = requests.get(f"{self.place.url}/v1/invitations/{invited['code']}", timeout=10).json()
        self.told.step(
            "nobody",
            "previews the invitation, not signed in",
            f"{seen['inviter']} invites to {seen['community']}",
        )
        self.max.post(f"/invitations/{invited['code']}/accept")
        self.told.step("Max", "accepts", "driver, priced", "Olga: " + self.olga.pushed("invitation_accepted"))
        gone = self.charlie.refused("POST", f"/invitations/{invited['code']}/accept", slug="invitation-gone")
        self.told.step("Charlie", "tries the used invitation", _slug(gone))
        link = self.olga.post(
            f"/communities/{self.community}/invitations", {"uses": 5, "label": "family"}, want=201
        )
        self.told.step("Olga", "makes a link for five", link["url"])

    def offer(self) -> None:
        self.told.chapter("When and for how much")
        self.olga.offer(self.car, self.community, {})
        self.told.step("Olga", "offers the car every day, first for free", "no currency, no Stripe object")

    def free_loan(self) -> None:
        self.told.chapter("A free loan")
        self.max.record_licence()
        cleared = self.olga.post(f"/communities/{self.community}/members/{self.max.id}/licence/clear")
        self.told.step(
            "Max",
            "records his licence; Olga clears it",
            cleared["state"],
            "Max: " + self.max.pushed("licence_cleared"),
        )
        rental = self._book(hours(0), hours(1))
        self._unlock(rental)
        self._drive(3)
        until(lambda: self._locked(rental["id"]), "the lock")
        intents = self.place.control("stripe", "GET", "objects")["rentals"].get(rental["id"], [])
        self.told.step(
            "Max",
            "unlocks, drives 3 km, locks",
            f"free, {len(intents)} Stripe intents",
            "Olga: " + self.olga.pushed("rental_ended", rental["id"]),
        )

    def get_ready(self) -> None:
        self.told.chapter("Now at a price")
        terms = self.olga.put(f"/cars/{self.car}/communities/{self.community}/terms", PRICED)
        self.told.step(
            "Olga",
            "sets 6 EUR an hour, at most 48 a day, 100 km included",
            f"terms version {terms['version']}",
        )
        card = self.max.save_card()
        self.told.step("Max", "saves a card (SetupIntent, the double plays the app's SDK)", card)
        now = self.max.now()
        found = self.max.get("/cars", free_from=inst(now), free_to=inst(now + hours(3)), near="48.85,2.35")[
            "items"
        ]
        total = found[0]["total"]
        self.told.step(
            "Max",
            "searches cars free for three hours",
            f"{found[0]['make']} {found[0]['model']}, {total['amount'] / 100:.2f} {total['currency']}, {found[0]['distance_km']} km away",
        )

    def book(self) -> None:
        self.told.chapter("Booking")
        own = self.olga.refused("POST", "/quotes", self._span(hours(0), hours(3)), slug="own-car")
        self.told.step("Olga", "asks a quote for her own car", _slug(own))
        self.charlie.refused("POST", "/quotes", self._span(hours(0), hours(3)), slug="not-found")
        self.told.step("Charlie", "asks a quote, not a member", "404: for him the car does not exist")
        self.rental = self._book(hours(0), hours(3))
        held = until(lambda: self._payment("held"), "the hold")
        self.told.step(
            "Max",
            "books; Olga approves; Stripe holds",
            f"{held['amount']['amount'] / 100:.2f} EUR held",
            "Max: " + self.max.pushed("rental_approved", self.rental["id"]),
        )
        taken = self.max.refused("POST", "/quotes", self._span(hours(1), hours(2)), slug="car-taken")
        self.told.step("Max", "asks for the same car again", _slug(taken))

    def _payment(self, state: str) -> Any:
        rows = self.max.get(f"/rentals/{self.rental['id']}/payments")["items"]
        return next((row for row in rows if row["state"] == state), None)

    def _span(self, begins: timedelta, ends: timedelta) -> dict[str, Any]:
        now = self.max.now()
        return {"car": self.car, "from": inst(now + begins), "to": inst(now + ends)}

    def _book(self, begins: timedelta, ends: timedelta) -> Any:
        quote = self.max.post("/quotes", self._span(begins, ends), want=201)
        accept = [one["version"] for one in quote["conditions"]]
        rental = self.max.post("/rentals", {"quote": quote["id"], "accept": accept}, want=201)
        self.olga.pushed("rental_asked")
        return self.olga.post(f"/rentals/{rental['id']}/approve")

    def _ready(self, rental: Any) -> Any:
        return self.max.get(f"/rentals/{rental['id']}/readiness", step="unlock")

    def _unlock(self, rental: Any) -> Any:
        until(lambda: self._ready(rental)["ready"] or None, "readiness")
        return self.max.post(f"/rentals/{rental['id']}/unlock", headers={"Prefer": "wait=15"})

    def _drive(self, km: float) -> None:
        self.street.do("ignition", on=True)
        self.street.do("drive", km=km)
        self.street.do("ignition", on=False)
        until(
            lambda: self.max.get(f"/cars/{self.car}/state")["drivable"]["value"] is False or None,
            "the car to be off",
        )

    def drive(self) -> None:
        self.told.chapter("The drive")
        rental = self.rental["id"]
        ready = self._ready(self.rental)
        met = sum(one["met"] for one in ready["conditions"])
        self.told.step("Max", "asks readiness", f"ready, {met} of {len(ready['conditions'])} conditions met")
        self.olga.refused("POST", f"/rentals/{rental}/unlock", slug="not-allowed")
        self.told.step("Olga", "tries to unlock Max's rental", "403 not-allowed: not the driver")
        done = self._unlock(self.rental)
        self.told.step(
            "Max",
            "unlocks by phone, signed",
            f"{done['state']}, evidence {done['evidence']}",
            "Olga: " + self.olga.pushed("rental_unlocked", rental),
        )
        cover = self.max.get(f"/rentals/{rental}")["cover"]
        token = self.max.get(f"/covers/{cover['id']}/certificate")
        self.told.step("Max", "fetches his insurance certificate", self._verified(token))
        lent = self.olga.refused("POST", f"/cars/{self.car}/commands", {"kind": "unlock"}, slug="car-lent")
        self.told.step("Olga", "tries to open the lent car", _slug(lent))
        self._drive(24)
        self.place.flask("clock", "forward", "50m")
        self.told.step(
            "Max",
            "drives 24 km; 50 minutes pass",
            f"{self.street.state().get('odometer_km', self.street.state())}",
        )
        self.max.post(f"/rentals/{rental}/pause", headers={"Prefer": "wait=15"})
        self.max.post(f"/rentals/{rental}/unlock", headers={"Prefer": "wait=15"})
        self.told.step("Max", "pauses for bread, and gets back in", "same cover, the meter runs")

    def _verified(self, token: Any) -> str:
        """Check the certificate as an insurer would: with the published keys alone."""
        compact = token["certificate"] if isinstance(token, dict) else token.strip()
        keys = requests.get(f"{self.place.url}/.well-known/jwks.json", timeout=10).json()
        seen = jws.deserialize_compact(compact, KeySet.import_key_set(keys), algorithms=["ES256"])
        claims = json.loads(seen.payload)
        return f"JWS {seen.headers()['alg']} verifies: {claims.get('plate') or claims.get('car', {}).get('plate')}"

    def wrong_turns(self) -> None:
        self.told.chapter("Wrong turns")
        rental = self.rental["id"]
        self.street.do("doors", fl="open")
        ajar = until(lambda: self._refused_lock(rental, "doors"), "the open door to be seen")
        self.told.step("Max", "locks with a door open", ajar)
        self.street.do("doors", fl="closed")
        self.street.do("keys", in_glove_box=False)
        missing = until(lambda: self._refused_lock(rental, "keys"), "the missing keys to be seen")
        self.told.step("Max", "locks without the keys in the glove box", missing)
        self.street.do("keys", in_glove_box=True)
        late = self.max.refused(
            "POST", f"/rentals/{rental}/cancel", {"reason": "changed my mind"}, slug="step-not-allowed"
        )
        self.told.step("Max", "tries to cancel while driving", _slug(late))

    def _refused_lock(self, rental: str, code: str) -> str | None:
        answer = self.max.call(
            "POST",
            f"/rentals/{rental}/lock",
            {"keys_in_glove_box": True},
            want=(200, 202, 409, 504),
            headers={"Prefer": "wait=15"},
        )
        codes = [one["code"] for one in answer.get("conditions", [])]
        return _slug(answer) if code in codes and answer.get("status") == 409 else None

    def settle(self) -> None:
        self.told.chapter("The end")
        rental = self.rental["id"]
        done = until(lambda: self._locked(rental), "the lock")
        self.told.step(
            "Max",
            "locks: the box confirms, the rental ends",
            done,
            "Olga: " + self.olga.pushed("rental_ended", rental),
        )
        paid = until(lambda: self._payment("captured"), "the capture")
        self.told.step(
            "Stripe",
            "captures by the frozen quote, frees the rest",
            f"{paid['captured']['amount'] / 100:.2f} EUR captured",
            "Max: " + self.max.pushed("payment_done", rental),
        )
        receipt = until(lambda: self._receipt(rental), "the receipt")
        lines = ", ".join(f"{line['code']} {line['amount']['amount'] / 100:.2f}" for line in receipt["lines"])
        self.told.step(
            "both",
            "get the same receipt",
            f"{receipt['km']} km: {lines}; covered {receipt['covered_minutes']} min, charged {receipt['charged_minutes']} min",
        )
        month = self.max.now().strftime("%Y-%m")
        statement = self.olga.get(f"/me/statements/{month}")
        self.told.step(
            "Olga",
            "reads what she has earned",
            json.dumps(statement.get("balance") or statement.get("balances") or statement)[:160],
        )

    def _locked(self, rental: str) -> str | None:
        answer = self.max.call(
            "POST",
            f"/rentals/{rental}/lock",
            {"keys_in_glove_box": True},
            want=(200, 202, 409, 504),
            headers={"Prefer": "wait=15"},
        )
        state = self.max.get(f"/rentals/{rental}")["state"]
        return f"{answer.get('state')}, evidence {answer.get('evidence')}" if state == "ended" else None

    def _receipt(self, rental: str) -> Any:
        mine, hers = self.max.get(f"/rentals/{rental}/receipt"), self.olga.get(f"/rentals/{rental}/receipt")
        return mine if mine == hers and mine["paid"]["amount"] else None

    def insurer(self) -> None:
        self.told.chapter("Ines, the insurer")
        form = {
            "grant_type": "client_credentials",
            "client_id": self.ines["client_id"],
            "client_secret": self.ines["client_secret"],
        }
        token = requests.post(f"{self.place.url}/oauth/token", data=form, timeout=10).json()["access_token"]
        ask = requests.Session()
        ask.headers["Authorization"] = f"Bearer {token}"
        base = f"{self.place.url}/v1/insurer"
        span = self.max.get(f"/rentals/{self.rental['id']}")["actual"]
        query = {"plate": self.plate, "country": "FR", "at": span["from"]}
        seen = until(lambda: self._covered(ask, base, query), "the seal")
        self.told.step(
            "Ines",
            f"asks whether {self.plate} was covered at the unlock",
            f"{seen['covered']}, {seen['cover']['id']}, as of position {seen.get('position')}",
        )
        after = ask.get(f"{base}/coverage", params={**query, "at": span["to"]}, timeout=10).json()
        self.told.step("Ines", "asks for the instant of the lock", f"{after['covered']} (half-open spans)")
        changes, cursor = [], None
        while True:
            page = ask.get(f"{base}/changes", params={"cursor": cursor} if cursor else {}, timeout=10).json()
            changes += page["items"]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        self.told.step("Ines", "walks the changes by cursor", ", ".join(one["kind"] for one in changes))
        told = until(
            lambda: (
                self.place.control("insurer", "GET", "covers", cover=seen["cover"]["id"])["covers"] or None
            ),
            "the reports",
        )
        self.told.step(
            "insurer",
            "was told of each version over its own API",
            f"{len(told)} reports of {seen['cover']['id'][:16]}…",
        )

    @staticmethod
    def _covered(ask: requests.Session, base: str, query: dict[str, str]) -> Any:
        answer = ask.get(f"{base}/coverage", params=query, timeout=10).json()
        return answer if answer.get("covered") == "yes" else None


def run(*, serve: bool) -> int:
    """Tell the story (or seed and keep the place up). Returns the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
    told = Telling(console)
    place = Supervisor(FOLDER)
    console.print("[dim]starting PostgreSQL, Mosquitto, doubles, simulator, API, worker, boxlink …[/dim]")
    try:
        place.start()
        console.print(f"[dim]all up after {time.monotonic() - told.began:.1f} s at {place.url}[/dim]")
        story = Story(place, told)
        story.tell()
    except (AssertionError, TimeoutError, PartFailedError, requests.RequestException, KeyError) as error:
        console.print(
            f"\n[bold red]step {told.steps + 1} failed:[/bold red] {error if not isinstance(error, KeyError) else traceback.format_exc()}"
        )
        console.print(f"[dim]logs: {FOLDER}[/dim]")
        place.stop()
        return 1
    console.print(
        f"\n[bold green]{told.steps} steps, all as they should be, in {time.monotonic() - told.began:.1f} s[/bold green]"
    )
    if serve:
        _keep_up(place, story, console)
    place.stop()
    return 0


def _keep_up(place: Supervisor, story: Story, console: Console) -> None:
    """Until Ctrl-C: where things are, who can sign in, and a curl that unlocks the demo car."""
    from app.demo_cast import PASSWORD

    rental = story._book(hours(0), hours(8))  # noqa: SLF001
    until(lambda: story._ready(rental)["ready"] or None, "readiness")  # noqa: SLF001
    table = Table("what", "where", show_header=False)
    table.add_row("API", f"{place.url}/v1")
    table.add_row("docs", f"{place.url}/docs")
    table.add_row("health", f"{place.url}/readyz")
    table.add_row("Stripe double", place.parts["stripe"].ready["url"])
    table.add_row(
        "car box simulator", f"http://127.0.0.1:{place.parts['simulator'].ready['control_port']}/state"
    )
    for one in (story.olga, story.max, story.charlie):
        table.add_row(one.name, f"{one.email} / {PASSWORD}")
    console.print(table)
    console.print(
        "Unlock the demo car as Max (his phone has no key in this call, so a second phone is signed in):"
    )
    plain = Actor(place, "Max Member")
    plain.email, plain.id = story.max.email, story.max.id
    console.print(_curl(place, story, rental), soft_wrap=True)
    console.print("Ctrl-C stops everything.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _curl(place: Supervisor, story: Story, rental: Any) -> str:
    return (
        f"curl -X POST {place.url}/v1/rentals/{rental['id']}/unlock -H 'Authorization: Bearer {story.max.access}'"
        f" -H 'Idempotency-Key: unlock-{int(time.time())}' -H 'Prefer: wait=15'"
    )


def contract(*, check: bool) -> int:
    """Write openapi.yaml, or say whether it is up to date; needs no database."""
    from app.doors import Doors
    from app.factory import create_app
    from insurance.partners import partners_of

    environment = {
        "DATABASE_URL": "postgresql://nowhere/none",
        "GLOVEBOX_MODE": "test",
        "GLOVEBOX_SECRET_KEY": "A" * 44,
        "GLOVEBOX_PUBLIC_URL": "http://localhost",
    }
    app = create_app(
        from_environment(environment), Doors(insurers=partners_of([]), payments=None, push=None, mail=None)
    )
    done = app.test_cli_runner().invoke(
        args=["openapi", *(["--check"] if check else []), str(ROOT / "openapi.yaml")]
    )
    sys.stdout.write(done.output)
    return done.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.demo", description=__doc__)
    for flag in ("--serve", "--check-openapi", "--write-openapi"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    if given.check_openapi or given.write_openapi:
        return contract(check=given.check_openapi)
    return run(serve=given.serve)


if __name__ == "__main__":
    raise SystemExit(main())
