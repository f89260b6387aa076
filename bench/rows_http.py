"""Rows over HTTP: login, validation, facts and jobs on, 8 clients, granian with 2 workers."""

import http.client
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from app.demo_cast import Actor, hours, inst, until
from app.kit.db import bare
from app.supervisor import Supervisor
from bench.load import Call, Measured, quantile, run
from bench.rows_db import coverage_values
from bench.seed import Seeded
from bench.turns import Row
from bench.where import Spent, spent
from carbox.box import Box, BoxAddress, Command, CommandKind, DoorWiring, KeySensor
from carbox.mqtt_link import BrokerAddress
from carbox.ovms import OvmsBoxes

AIMS = {"booking_http": 150.0, "availability_http": 330.0, "list_http": 150.0}
TURNS = 4


def _against_aim(name: str, found: Measured) -> Row:
    if found.failed:
        raise RuntimeError(f"{name}: {found.failed} of {found.count} requests failed")
    return {
        "name": name,
        "ours": round(found.rate, 1),
        "limit": AIMS[name],
        "ratio": round(found.rate / AIMS[name], 3),
        "unit": "1/s",
        "p50_ms": round(found.p50, 2),
        "p99_ms": round(found.p99, 2),
    }


def _json(token: str, **more: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        **more,
    }


def _booking(seeded: Seeded, quotes: list[tuple[str, int]]) -> list[Call]:
    calls = []
    for quote_id, who in quotes:
        headers = _json(seeded.members[who][1], **{"Idempotency-Key": secrets.token_urlsafe(12)})
        calls.append(Call("POST", "/v1/rentals", headers, json.dumps({"quote": quote_id}).encode()))
    return calls


def booking(seeded: Seeded) -> Row:
    """POST /v1/rentals: each a quote of its own for a slot of its own, priced, with a card."""
    calls = _booking(seeded, seeded.quotes[: -seeded.scale.looks])
    return _against_aim("booking_http", run(seeded.url, calls, seconds=seeded.scale.seconds))


def availability(seeded: Seeded) -> Row:
    """GET a car's calendar of two weeks."""
    query = f"from={quote(inst(seeded.now))}&to={quote(inst(seeded.now + timedelta(days=14)))}"
    calls = []
    for n in range(seeded.scale.calls):
        car, token = seeded.cars[n % len(seeded.cars)][0], seeded.members[n % len(seeded.members)][1]
        calls.append(Call("GET", f"/v1/cars/{car}/calendar?{query}", _json(token)))
    return _against_aim("availability_http", run(seeded.url, calls, seconds=seeded.scale.seconds))


def listing(seeded: Seeded) -> Row:
    """GET 100 of 200 cars free for a span, with totals."""
    calls = []
    for n in range(seeded.scale.calls):
        a = seeded.now + timedelta(days=20 + n % 50, hours=n % 24)
        query = f"free_from={quote(inst(a))}&free_to={quote(inst(a + timedelta(hours=5)))}&limit=100"
        calls.append(Call("GET", f"/v1/cars?{query}", _json(seeded.members[n % len(seeded.members)][1])))
    return _against_aim("list_http", run(seeded.url, calls, seconds=seeded.scale.seconds))


def _coverage(seeded: Seeded, count: int) -> tuple[list[Call], list[Call]]:
    """The insurer's question, and the same of the least view."""
    insurer = str(bare(seeded.insurer, "ins"))
    ours, least = [], []
    for _ in range(count):
        values = coverage_values(seeded)
        query = f"plate={values['plate']}&country=FR&at={quote(inst(values['at']))}"
        ours.append(Call("GET", f"/v1/insurer/coverage?{query}", _json(seeded.insurer_token)))
        least.append(Call("GET", f"/least/coverage?{query}&insurer={insurer}&position=10000000", {}))
    return ours, least


def coverage(seeded: Seeded) -> Row:
    """The insurer's question over HTTP, beside the least view on the same server, in turns."""
    ours, least = _coverage(seeded, seeded.scale.calls)
    each, seconds = seeded.scale.calls // TURNS, seeded.scale.seconds / TURNS
    mine, theirs = [], []
    for turn in range(TURNS):
        part = slice(turn * each, (turn + 1) * each)
        mine.append(run(seeded.url, ours[part], seconds=seconds))
        theirs.append(run(seeded.url, least[part], seconds=seconds))
    if any(one.failed for one in (*mine, *theirs)):
        raise RuntimeError("coverage_http: requests failed")
    rate, limit = sum(m.rate for m in mine) / TURNS, sum(t.rate for t in theirs) / TURNS
    return {
        "name": "coverage_http",
        "ours": round(rate, 1),
        "limit": round(limit, 1),
        "ratio": round(rate / limit, 3),
        "unit": "1/s",
        "p50_ms": round(quantile([m.p50 for m in mine], 0.5), 2),
        "p99_ms": round(max(m.p99 for m in mine), 2),
    }


def taken_apart(seeded: Seeded) -> list[Spent]:
    """A booking and an insurer's question, each by where its time goes."""
    looks = seeded.scale.looks
    return [
        spent("booking_http", seeded.url, _booking(seeded, seeded.quotes[-looks:])),
        spent("coverage_http", seeded.url, _coverage(seeded, looks)[0]),
    ]


def unlock(place: Supervisor, seeded: Seeded) -> tuple[Row, Spent]:
    """Pause and resume a rental over HTTP, beside the bare MQTT exchange with the same box; the difference is ours.

    Then the same again, taken apart.
    """
    olga, max_ = Actor(place, "Olga Owner").register(), Actor(place, "Max Member").register()
    car = olga.add_car()
    street = olga.pair_box(car)
    community = olga.post(
        "/communities", {"name": "Unlock", "kind": "circle", "rules": {"approval": "never"}}
    )["id"]
    code = olga.post(f"/communities/{community}/invitations", {"email": max_.email})["code"]
    max_.post(f"/invitations/{code}/accept")
    olga.offer(car, community)
    max_.record_licence()
    olga.clear_licence(community, max_.id)
    now = max_.now()
    made = max_.post("/quotes", {"car": car, "from": inst(now), "to": inst(now + hours(5))})
    rental = max_.post(
        "/rentals", {"quote": made["id"], "accept": [one["version"] for one in made["conditions"]]}
    )["id"]
    until(lambda: max_.get(f"/rentals/{rental}/readiness", step="unlock")["ready"] or None, "readiness")
    max_.post(f"/rentals/{rental}/unlock", headers={"Prefer": "wait=15"})
    over_http = _timed_http(seeded.url, _doors(rental, max_.access, seeded.scale.unlocks))
    doors = _doors(rental, max_.access, max(1, seeded.scale.looks // 4))
    apart = spent("unlock", seeded.url, doors, _opens)
    bare_mqtt = _timed_mqtt(place, street.username, seeded.scale.unlocks)
    p50, p99 = (
        quantile(over_http, 0.5) - quantile(bare_mqtt, 0.5),
        quantile(over_http, 0.99) - quantile(bare_mqtt, 0.5),
    )
    row = {
        "name": "unlock",
        "ours": round(quantile(over_http, 0.5) * 1000, 2),
        "limit": round(quantile(bare_mqtt, 0.5) * 1000, 2),
        "ratio": round(quantile(over_http, 0.5) / quantile(bare_mqtt, 0.5), 2),
        "unit": "ms",
        "p50_ms": round(p50 * 1000, 2),
        "p99_ms": round(p99 * 1000, 2),
    }
    return row, apart


def _doors(rental: str, token: str, unlocks: int) -> list[Call]:
    """Door commands one after the other: pause, resume, pause ..."""
    return [
        Call(
            "POST",
            f"/v1/rentals/{rental}/{step}",
            _json(token, **{"Idempotency-Key": secrets.token_urlsafe(12), "Prefer": "wait=15"}),
        )
        for _ in range(unlocks)
        for step in ("pause", "unlock")
    ]


def _opens(call: Call) -> bool:
    return call.path.endswith("/unlock")


def _timed_http(url: str, calls: list[Call]) -> list[float]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    times = []
    for call in calls:
        began = time.perf_counter()
        connection.request(call.method, call.path, None, call.headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"unlock: {answer.status} {body[:300]!r}")
        if _opens(call):
            times.append(time.perf_counter() - began)
    connection.close()
    return times


def _timed_mqtt(place: Supervisor, username: str, unlocks: int) -> list[float]:
    """The same commands by the driver alone: sign of life, publish, answer, evidence. boxlink is stopped meanwhile."""
    place.parts["boxlink"].stop()
    environment = place.environment
    vehicle = place.control("simulator", "GET", "state")
    names = {one["username"]: one["vehicle"] for one in vehicle["boxes"]} if "boxes" in vehicle else {}
    address = BrokerAddress(
        "127.0.0.1", int(environment["GLOVEBOX_MQTT_PORT"]), "glovebox", environment["GLOVEBOX_MQTT_PASSWORD"]
    )
    door = OvmsBoxes(address, None, lambda: datetime.now(UTC))
    door.start()
    box = Box(
        BoxAddress(username, names.get(username, f"v{username[-8:]}")),
        DoorWiring(pin="4711", key_sensor=KeySensor(6, 1)),
    )
    until(lambda: door.up or None, "the broker")
    kinds = (CommandKind.LOCK, CommandKind.UNLOCK)
    times = []
    try:
        until(lambda: door.alive(box) or None, "the box")
        for n in range(unlocks * 2):
            began = time.perf_counter()
            door.send(box, Command(kinds[n % 2]), command_id=secrets.token_hex(8))
            if kinds[n % 2] is CommandKind.UNLOCK:
                times.append(time.perf_counter() - began)
    finally:
        door.stop()
        place.start_boxlink()
    return times


ROWS: tuple[Callable[[Seeded], Row], ...] = (coverage, availability, listing, booking)
