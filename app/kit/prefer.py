"""`Prefer: wait=N` (RFC 7240): how long the caller would rather wait for a result than be given a place to look."""

import re

from flask import request

from app.kit.errors import Malformed

MOST_S = 20
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")


def wait() -> int:
    """Seconds, 0 where nothing is preferred. Raises Malformed above 20: call it before anything has happened."""
    seconds = _asked()
    if seconds > MOST_S:
        raise Malformed(f"Prefer: wait takes 0 to {MOST_S} seconds.")
    return seconds


def wait_after() -> int:
    """The same once something has happened, where a refusal would be a lie: never more than 20."""
    return min(_asked(), MOST_S)


def _asked() -> int:
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return int(found[1]) if found else 0
