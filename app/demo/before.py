"""Before the drive: the place is set up, people meet, a car is shared, lent for free, then offered at a price."""

import json
import time

import requests

from app.demo import POLICY, PRICED, SCOPES
from app.demo.stage import Stage, slug
from app.demo_cast import hours, inst, until


def set_up(on: Stage) -> None:
    on.told.chapter("The place is set up from the command line, no SQL by hand")
    made = on.operator("insurer", "add", f"Exemple Assurances {time.time_ns()}")
    policy = {**POLICY, "number": f"FR-{time.time_ns() % 10**9}"}
    file = on.place.folder / "master-policy.json"
    file.write_text(json.dumps(policy), "utf-8")
    added = on.operator("policy", "add", made["insurer"], str(file))
    on.operator("policy", "activate", added["policy"])
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    client = on.operator("insurer", "client", made["insurer"], "--label", "claims desk", *scopes)
    on.ines = {**client, "insurer": made["insurer"]}
    on.told.step(
        "operator", "adds an insurer, its master policy and a client", f"policy {policy['number']} active"
    )


def meet(on: Stage) -> None:
    on.told.chapter("Two people, two phones")
    for actor in (on.olga, on.max, on.charlie):
        actor.register()
        words = f"code {actor.code()} by e-mail"
        on.told.step(
            actor.name.split()[0],
            "registers, confirms the address, signs in, registers the phone",
            actor.id,
            words,
        )


def own(on: Stage) -> None:
    on.told.chapter("Olga's car and its box")
    on.car = on.olga.add_car()
    on.plate = on.olga.get(f"/cars/{on.car}")["plate"]
    on.told.step("Olga", "adds her smart", f"{on.plate}, {on.car}")
    on.street = on.olga.pair_box(on.car)
    on.told.step("Olga", "pairs its OVMS box", f"{on.street.username} heard over MQTT")
    for kind in ("ping", "unlock", "lock"):
        done = on.olga.post(f"/cars/{on.car}/commands", {"kind": kind}, headers={"Prefer": "wait=15"})
        on.told.step(
            "Olga",
            f"{kind}s her own car" if kind != "ping" else "pings her own car",
            f"{done['state']}, evidence {done['evidence']}",
        )


def invite(on: Stage) -> None:
    on.told.chapter("A community")
    made = on.olga.post("/communities", {"name": "Friends of the smart", "kind": "circle"}, want=201)
    on.community = made["id"]
    invited = on.olga.post(
        f"/communities/{on.community}/invitations",
        {"email": on.max.email, "fare": "priced"},
        want=201,
    )
    on.told.step("Olga", "invites Max by e-mail", invited["url"], "Max: " + on.max.pushed("invited"))
    seen = requests.get(f"{on.place.url}/v1/invitations/{invited['code']}", timeout=10).json()
    on.told.step(
        "nobody",
        "previews the invitation, not signed in",
        f"{seen['inviter']} invites to {seen['community']}",
    )
    on.max.post(f"/invitations/{invited['code']}/accept")
    on.told.step("Max", "accepts", "driver, priced", "Olga: " + on.olga.pushed("invitation_accepted"))
    gone = on.charlie.refused("POST", f"/invitations/{invited['code']}/accept", slug="invitation-gone")
    on.told.step("Charlie", "tries the used invitation", slug(gone))
    link = on.olga.post(f"/communities/{on.community}/invitations", {"uses": 5, "label": "family"}, want=201)
    on.told.step("Olga", "makes a link for five", link["url"])


def offer(on: Stage) -> None:
    on.told.chapter("When and for how much")
    on.olga.offer(on.car, on.community, {})
    on.told.step("Olga", "offers the car every day, first for free", "no currency, no Stripe object")


def free_loan(on: Stage) -> None:
    on.told.chapter("A free loan")
    on.max.record_licence()
    cleared = on.olga.clear_licence(on.community, on.max.id)
    on.told.step(
        "Max",
        "records his licence; Olga clears it",
        cleared["state"],
        "Max: " + on.max.pushed("licence_cleared"),
    )
    rental = on.book(hours(0), hours(1))
    on.unlock(rental)
    on.drive(3)
    until(lambda: on.locked(rental["id"]), "the lock")
    intents = on.place.control("stripe", "GET", "objects")["rentals"].get(rental["id"], [])
    on.told.step(
        "Max",
        "unlocks, drives 3 km, locks",
        f"free, {len(intents)} Stripe intents",
        "Olga: " + on.olga.pushed("rental_ended", rental["id"]),
    )


def get_ready(on: Stage) -> None:
    on.told.chapter("Now at a price")
    terms = on.olga.put(f"/cars/{on.car}/communities/{on.community}/terms", PRICED)
    on.told.step(
        "Olga",
        "sets 6 EUR an hour, at most 48 a day, 100 km included",
        f"terms version {terms['version']}",
    )
    card = on.max.save_card()
    on.told.step("Max", "saves a card (SetupIntent, the double plays the app's SDK)", card)
    now = on.max.now()
    found = on.max.get("/cars", free_from=inst(now), free_to=inst(now + hours(3)), near="48.85,2.35")["items"]
    total = found[0]["total"]
    on.told.step(
        "Max",
        "searches cars free for three hours",
        f"{found[0]['make']}, {total['amount'] / 100:.2f} {total['currency']}, {found[0]['distance_km']} km away",
    )
