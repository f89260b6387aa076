"""Readings as they are kept with a box: name -> {value, at}; `at` is None where nobody knows how old it is. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Kept = Mapping[str, Any]
DOORS = ("door_fl", "door_fr", "door_rl", "door_rr", "trunk")


def value(state: Kept, name: str) -> Any:
    """What was said last, however long ago; None: never."""
    return (state.get(name) or {}).get("value")


def instant(state: Kept, name: str) -> datetime | None:
    """When it arrived, in business time."""
    at = (state.get(name) or {}).get("at")
    return datetime.fromisoformat(at) if at else None
