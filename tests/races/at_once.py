"""Calls made at the same moment, each on a connection of its own."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from app.demo_cast import Actor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shot:
    """One answer, and when it had come."""

    status: int
    body: Any
    at: float

    @property
    def slug(self) -> str:
        return (
            str(self.body.get("type", "")).removeprefix("/problems/") if isinstance(self.body, dict) else ""
        )


def shot(
    who: Actor,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
    after_s: float = 0.0,
    timeout_s: float = 40.0,
    **headers: Any,
) -> Callable[[], Shot]:
    """A call made ready, signed by the phone; calling it sends it after `after_s`, whatever the answer."""
    sent = {
        "Authorization": f"Bearer {who.access}",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    if method == "POST":
        sent["Idempotency-Key"] = key or secrets.token_urlsafe(16)
    prepared = requests.Request(method, f"{who.place.url}/v1{path}", headers=sent, json=body).prepare()
    if who.key is not None and path.rsplit("/", 1)[-1] in ("unlock", "pause", "lock", "commands"):
        prepared.headers["Phone-Signature"] = who.sign(prepared)

    def send() -> Shot:
        time.sleep(after_s)
        with requests.Session() as http:
            http.trust_env = False
            answer = http.send(prepared, timeout=timeout_s)
        at = time.time()
        return Shot(answer.status_code, answer.json() if answer.content else None, at)

    return send


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls at the same moment; their answers in the order of the calls."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
