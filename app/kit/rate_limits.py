"""How often one may ask. Limits that protect secrets count in the database, the others in each process."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import g, request
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.clock import real_now
from app.kit.db import Model, in_transaction
from app.kit.driver import autocommit_engine
from app.kit.errors import RateLimited

SWEEP_S = 60.0


class Windows:
    """Calls in fixed windows, each beginning with its first call; what has run out is swept once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._open: dict[tuple[str, str, int], tuple[int, float]] = {}
        self._swept = clock()

    def hit(self, name: str, subject: str, seconds: int) -> tuple[int, float]:
        """Count a call: the calls of its window so far, and the seconds until that ends."""
        now, key = self._clock(), (name, subject, seconds)
        with self._lock:
            if now - self._swept > SWEEP_S:
                self._open = {key: window for key, window in self._open.items() if window[1] > now}
                self._swept = now
            count, ends = self._open.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + seconds
            self._open[key] = count + 1, ends
        return count + 1, ends - now

    def __len__(self) -> int:
        return len(self._open)


_windows = Windows()


class RateCount(Model):
    """How often one secret-protecting limit was used in one period."""

    __tablename__ = "rate_counts"
    name: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


def address() -> str:
    return request.remote_addr or "unknown"


def allow(name: str, subject: str, limit: tuple[int, int]) -> None:
    """Count one call in this process; over the limit is 429."""
    most, seconds = limit
    used, left = _windows.hit(name, subject, seconds)
    _remember(name, most, seconds, max(0, most - used), int(left))
    if used > most:
        refuse(max(1, int(left)))


_COUNT = text(
    "insert into rate_counts (name, subject, period_start, count) values (:name, :subject, :start, 1)"
    " on conflict (name, subject, period_start) do update set count = rate_counts.count + 1 returning count"
)


def allow_secret(name: str, subject: str, limit: tuple[int, int]) -> None:
    """Count one try at a secret for all processes, in a transaction of its own, before it is judged."""
    if in_transaction():
        raise RuntimeError(f"the limit {name} is counted before the transaction begins")
    most, seconds = limit
    now = real_now()
    start = datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)
    with autocommit_engine().connect() as connection:
        used = connection.execute(
            _COUNT, {"name": name, "subject": subject[:300], "start": start}
        ).scalar_one()
    left = int((start + timedelta(seconds=seconds) - now).total_seconds()) + 1
    _remember(name, most, seconds, max(0, most - used), left)
    if used > most:
        refuse(left)


def _remember(name: str, most: int, seconds: int, remaining: int, reset: int) -> None:
    g.rate = (name, most, seconds, remaining, reset)


def refuse(wait_s: int) -> None:
    problem = RateLimited(f"Try again in {wait_s} s.")
    problem.headers["Retry-After"] = str(wait_s)
    raise problem


def headers() -> dict[str, str]:
    """RateLimit and RateLimit-Policy of the limit this request counted against."""
    rate = g.get("rate")
    if rate is None:
        return {}
    name, most, seconds, remaining, reset = rate
    return {
        "RateLimit-Policy": f'"{name}";q={most};w={seconds}',
        "RateLimit": f'"{name}";r={remaining};t={reset}',
    }
