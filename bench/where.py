"""Say where the time goes: the same requests one after the other, each answer telling what it spent where."""

import http.client
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.table import Table

from bench.load import Call
from bench.spans import ADMIT, ALL, ASK, BOX, DATABASE, KINDS, SERIALISE

TITLES = {
    DATABASE: "database",
    SERIALISE: "serialisation",
    ADMIT: "auth, validation",
    BOX: "waiting for the box",
    "ours": "our steps, framework",
    "server": "server, network",
}
_PART = re.compile(r"([a-z]+);dur=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Spent:
    """The mean time of one request, in milliseconds, and its share by part."""

    name: str
    ms: float
    shares: dict[str, float]


def spent(
    name: str, url: str, calls: Sequence[Call], counts: Callable[[Call], bool] = lambda _: True
) -> Spent:
    """Send the calls one after the other; those that count are taken apart. Raises RuntimeError for a refusal."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    totals, whole, count = dict.fromkeys(TITLES, 0.0), 0.0, 0
    for call in calls:
        began = time.perf_counter()
        connection.request(call.method, call.path, call.body, {**call.headers, ASK: "yes"})
        answer = connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= 300:
            raise RuntimeError(f"{name}: {answer.status} {body[:300]!r}")
        if not counts(call):
            continue
        told = {kind: float(ms) for kind, ms in _PART.findall(answer.headers["Server-Timing"])}
        for kind in KINDS:
            totals[kind] += told[kind]
        totals["ours"] += told[ALL] - sum(told[kind] for kind in KINDS)
        totals["server"] += took - told[ALL]
        whole, count = whole + took, count + 1
    connection.close()
    return Spent(name, whole / count, {part: ms / whole for part, ms in totals.items()})


def table(found: Sequence[Spent]) -> Table:
    """One line each, in percent."""
    made = Table("where the time goes", "ms", *TITLES.values())
    for one in found:
        made.add_row(one.name, f"{one.ms:.2f}", *(f"{one.shares[part]:.0%}" for part in TITLES))
    return made
