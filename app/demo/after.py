"""The rental: booked, driven, with its wrong turns, settled, and seen by the insurer."""

import json
import time
from typing import Any

import requests
from joserfc import jws
from joserfc.jwk import KeySet

from app.demo import SCOPES
from app.demo.stage import Stage, slug
from app.demo_cast import hours, until


def book(on: Stage) -> None:
    on.told.chapter("Booking")
    own = on.olga.refused("POST", "/quotes", on.span(hours(0), hours(3)), slug="own-car")
    on.told.step("Olga", "asks a quote for her own car", slug(own))
    on.charlie.refused("POST", "/quotes", on.span(hours(0), hours(3)), slug="not-found")
    on.told.step("Charlie", "asks a quote, not a member", "404: for him the car does not exist")
    on.rental = on.book(hours(0), hours(3))
    held = until(lambda: on.payment("held"), "the hold")
    on.told.step(
        "Max",
        "books; Olga approves; Stripe holds",
        f"{held['amount']['amount'] / 100:.2f} EUR held",
        "Max: " + on.max.pushed("rental_approved", on.rental["id"]),
    )
    taken = on.max.refused("POST", "/quotes", on.span(hours(1), hours(2)), slug="car-taken")
    on.told.step("Max", "asks for the same car again", slug(taken))


def drive(on: Stage) -> None:
    on.told.chapter("The drive")
    rental = on.rental["id"]
    ready = on.ready(on.rental)
    met = sum(one["met"] for one in ready["conditions"])
    on.told.step("Max", "asks readiness", f"ready, {met} of {len(ready['conditions'])} conditions met")
    on.olga.refused("POST", f"/rentals/{rental}/unlock", slug="not-allowed")
    on.told.step("Olga", "tries to unlock Max's rental", "403 not-allowed: not the driver")
    done = on.unlock(on.rental)
    on.told.step(
        "Max",
        "unlocks by phone, signed",
        f"{done['state']}, evidence {done['evidence']}",
        "Olga: " + on.olga.pushed("rental_unlocked", rental),
    )
    cover = on.max.get(f"/rentals/{rental}")["cover"]
    token = on.max.get(f"/covers/{cover['id']}/certificate")
    on.told.step("Max", "fetches his insurance certificate", _verified(on, token))
    lent = on.olga.refused("POST", f"/cars/{on.car}/commands", {"kind": "unlock"}, slug="car-lent")
    on.told.step("Olga", "tries to open the lent car", slug(lent))
    on.drive(24)
    on.place.flask("clock", "forward", "50m")
    on.told.step(
        "Max",
        "drives 24 km; 50 minutes pass",
        f"the odometer shows {on.max.get(f'/cars/{on.car}/state')['odometer_km']['value']:.0f} km",
    )
    on.max.post(f"/rentals/{rental}/pause", headers={"Prefer": "wait=15"})
    on.max.post(f"/rentals/{rental}/unlock", headers={"Prefer": "wait=15"})
    on.told.step("Max", "pauses for bread, and gets back in", "same cover, the meter runs")


def wrong_turns(on: Stage) -> None:
    on.told.chapter("Wrong turns")
    rental = on.rental["id"]
    on.street.do("doors", fl="open")
    ajar = until(lambda: _refused_lock(on, rental, "doors"), "the open door to be seen")
    on.told.step("Max", "locks with a door open", ajar)
    on.street.do("doors", fl="closed")
    on.street.do("keys", in_glove_box=False)
    missing = until(lambda: _refused_lock(on, rental, "keys"), "the missing keys to be seen")
    on.told.step("Max", "locks without the keys in the glove box", missing)
    on.street.do("keys", in_glove_box=True)
    late = on.max.refused(
        "POST", f"/rentals/{rental}/cancel", {"reason": "changed my mind"}, slug="step-not-allowed"
    )
    on.told.step("Max", "tries to cancel while driving", slug(late))


def settle(on: Stage) -> None:
    on.told.chapter("The end")
    rental = on.rental["id"]
    done = until(lambda: on.locked(rental), "the lock")
    on.told.step(
        "Max",
        "locks: the box confirms, the rental ends",
        done,
        "Olga: " + on.olga.pushed("rental_ended", rental),
    )
    paid = until(lambda: on.payment("captured"), "the capture")
    on.told.step(
        "Stripe",
        "captures by the frozen quote, frees the rest",
        f"{paid['captured']['amount'] / 100:.2f} EUR captured",
        "Max: " + on.max.pushed("payment_done", rental),
    )
    receipt = until(lambda: _receipt(on, rental), "the receipt")
    lines = ", ".join(f"{line['code']} {line['amount']['amount'] / 100:.2f}" for line in receipt["lines"])
    on.told.step(
        "both",
        "get the same receipt",
        f"{receipt['km']} km: {lines}; covered {receipt['covered_minutes']} min, charged {receipt['charged_minutes']} min",
    )
    statement = on.olga.get(f"/me/statements/{on.olga.month()}")
    on.told.step(
        "Olga",
        "reads what she has earned",
        json.dumps(statement.get("balance") or statement.get("balances") or statement)[:160],
    )


def insurer(on: Stage) -> None:
    on.told.chapter("Ines, the insurer")
    ask = _desk(on, on.ines)
    base = f"{on.place.url}/v1/insurer"
    span = on.max.get(f"/rentals/{on.rental['id']}")["actual"]
    query = {"plate": on.plate, "country": "FR", "at": span["from"]}
    seen = until(lambda: _covered(ask, base, query), "the seal")
    on.told.step(
        "Ines",
        f"asks whether {on.plate} was covered at the unlock",
        f"{seen['covered']}, {seen['cover']['id']}, as of position {seen.get('position')}",
    )
    other = _desk(on, _another(on)).get(f"{base}/covers/{seen['cover']['id']}", timeout=10)
    on.told.step("another", "insurer asks for that cover", slug(other.json()))
    after = ask.get(f"{base}/coverage", params={**query, "at": span["to"]}, timeout=10).json()
    on.told.step("Ines", "asks for the instant of the lock", f"{after['covered']} (half-open spans)")
    changes, cursor = [], None
    while True:
        page = ask.get(f"{base}/changes", params={"cursor": cursor} if cursor else {}, timeout=10).json()
        changes += page["items"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    on.told.step("Ines", "walks the changes by cursor", ", ".join(one["kind"] for one in changes))
    told = until(
        lambda: on.place.control("insurer", "GET", "covers", cover=seen["cover"]["id"])["covers"] or None,
        "the reports",
    )
    on.told.step(
        "insurer",
        "was told of each version over its own API",
        f"{len(told)} reports of {seen['cover']['id'][:16]}…",
    )


def _desk(on: Stage, client: dict[str, Any]) -> requests.Session:
    """A session signed in as a client of an insurer."""
    form = {
        "grant_type": "client_credentials",
        **{name: client[name] for name in ("client_id", "client_secret")},
    }
    token = requests.post(f"{on.place.url}/oauth/token", data=form, timeout=10).json()["access_token"]
    made = requests.Session()
    made.headers["Authorization"] = f"Bearer {token}"
    return made


def _another(on: Stage) -> dict[str, Any]:
    """A client of an insurer that has nothing to do with this car."""
    made = on.operator("insurer", "add", f"Andere Versicherung {time.time_ns()}")["insurer"]
    client: dict[str, Any] = on.operator("insurer", "client", made, "--label", "desk", "--scope", SCOPES[0])
    return client


def _verified(on: Stage, token: Any) -> str:
    """Check the certificate as an insurer would: with the published keys alone."""
    compact = token["certificate"] if isinstance(token, dict) else token.strip()
    keys = requests.get(f"{on.place.url}/.well-known/jwks.json", timeout=10).json()
    seen = jws.deserialize_compact(compact, KeySet.import_key_set(keys), algorithms=["ES256"])
    claims = json.loads(seen.payload)
    return (
        f"JWS {seen.headers()['alg']} verifies: {claims.get('plate') or claims.get('car', {}).get('plate')}"
    )


def _refused_lock(on: Stage, rental: str, code: str) -> str | None:
    answer = on.max.call(
        "POST",
        f"/rentals/{rental}/lock",
        {"keys_in_glove_box": True},
        want=(200, 202, 409, 504),
        headers={"Prefer": "wait=15"},
    )
    codes = [one["code"] for one in answer.get("conditions", [])]
    return slug(answer) if code in codes and answer.get("status") == 409 else None


def _receipt(on: Stage, rental: str) -> Any:
    mine, hers = on.max.get(f"/rentals/{rental}/receipt"), on.olga.get(f"/rentals/{rental}/receipt")
    return mine if mine == hers and mine["paid"]["amount"] else None


def _covered(ask: requests.Session, base: str, query: dict[str, str]) -> Any:
    answer = ask.get(f"{base}/coverage", params=query, timeout=10).json()
    return answer if answer.get("covered") == "yes" else None
