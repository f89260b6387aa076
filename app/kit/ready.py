"""Whether this place can serve: database and migrations decide; what is slow, silent or shut beside them is only shown."""

import functools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.kit import heartbeat, metrics, steady
from app.kit.driver import read
from app.kit.heartbeat import FINE

ROOT = Path(__file__).parent.parent.parent
LAGS_FINE_S, LOOK_AGAIN_S = 5.0, 1.0
OUTSIDE: list[Callable[[], Mapping[str, str]]] = []
"""Filled by the factory: how the doors to the outside have gone lately, `ok` or words, by name."""
Answer = tuple[dict[str, object], int]


class Kept:
    """An answer that is made at most once a second, however many ask: nobody has to sign in for it."""

    def __init__(self, make: Callable[[], Answer], seconds: float = LOOK_AGAIN_S) -> None:
        self._make, self._seconds = make, seconds
        self._guard = threading.Lock()
        self._until, self._answer = 0.0, ({}, 503)  # type: tuple[float, Answer]

    def get(self) -> Answer:
        with self._guard:
            if time.monotonic() >= self._until:
                self._answer = self._make()
                self._until = time.monotonic() + self._seconds
            return self._answer


def answer() -> Answer:
    """What /readyz says, at most a second old."""
    kept: Kept = current_app.extensions.setdefault("glovebox_ready", Kept(look))
    return kept.get()


def look() -> Answer:
    """What /readyz says now, and its status."""
    try:
        at = read(text("select version_num from alembic_version"))
    except SQLAlchemyError:
        return {"status": "unavailable", "checks": {"database": "down"}}, 503
    wanted = head()
    if not at or at[0][0] != wanted:
        return {"status": "unavailable", "checks": {"database": FINE, "migrations": f"want {wanted}"}}, 503
    try:
        checks = {"database": FINE, "migrations": FINE, **degraded()}
    except SQLAlchemyError:
        return {"status": "unavailable", "checks": {"database": "went away"}}, 503
    return {"status": FINE if set(checks.values()) == {FINE} else "degraded", "checks": checks}, 200


def degraded() -> dict[str, str]:
    """What is slow, silent or shut, without being a reason to send nobody here."""
    lags, signs = metrics.lags(), heartbeat.signs()
    boxlink = heartbeat.of_several(signs, "boxlink")
    checks = {
        "sealing": _late(lags["sealing_lag"]) or heartbeat.missing(signs.get("facts"), "the sealer"),
        "queue": _late(lags["queue_lag"]),
        "failed_jobs": f"{lags['failed']:.0f} to look at" if lags["failed"] else None,
        "deadlines": f"{lags['overdue']:.0f} overdue"
        if lags["overdue"]
        else heartbeat.missing(signs.get("deadlines"), "the due-runner"),
        "boxlink": heartbeat.missing(boxlink, "boxlink"),
        "broker": broker(boxlink),
        "clock": clock(signs),
    }
    found = {name: words or FINE for name, words in checks.items()}
    for outside in OUTSIDE:
        found |= outside()
    return found


def _late(lag_s: float) -> str | None:
    return f"{lag_s:.0f} s behind" if lag_s >= LAGS_FINE_S else None


def broker(sign: heartbeat.Sign | None) -> str | None:
    """What is wrong with the broker as boxlinks see it, the only ones that speak to it."""
    if sign is None or not sign.alive:
        return "unknown: boxlink is silent"
    return None if sign.says == FINE else sign.says


def clock(signs: Mapping[str, heartbeat.Sign]) -> str | None:
    """What is wrong with the clocks, as this process sees them or another says."""
    other = heartbeat.of_several(signs, "clock")
    return steady.watch().words() or (other.says if other is not None and other.alive else None)


@functools.cache
def head() -> str:
    """The newest migration of this code."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "os")
    found = ScriptDirectory.from_config(config).get_current_head()
    assert found is not None
    return found
