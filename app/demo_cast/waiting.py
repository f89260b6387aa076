"""Looking until there is something, and the spans and instants of stories."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
WITHIN_S = 15.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.03, 0.25


def until(look: Callable[[], T | None], what: str, within_s: float = WITHIN_S) -> T:
    """Look until there is something, less often the longer it takes. Raises TimeoutError that says what was awaited."""
    deadline, pause = time.monotonic() + within_s, FIRST_PAUSE_S
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within_s:.0f} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, LAST_PAUSE_S)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def inst(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
