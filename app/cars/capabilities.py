"""What a box was really seen to report: for the owner who pairs it and walks around the car. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from carbox.box import BoxState

FLIPS = (
    "locked",
    "door_fl",
    "door_fr",
    "door_rl",
    "door_rr",
    "trunk",
    "drivable",
    "keys_in_glove_box",
    "plugged",
)
"""Proved once both values were seen: a reading that never moves may be a constant."""
MOVES = ("odometer_km", "charge_percent")
"""Proved once the number was seen to move."""
REPORTED = ("battery_12v", "tyre_kpa")
"""There is nothing more to see than that they come."""
POSITION = "position"
EXPECTED = (*FLIPS[:6], "drivable", *MOVES, POSITION)
"""Without these an owner finds out too late what the box cannot tell; the others depend on what the car has."""


def seen(state: Mapping[str, Any], delta: BoxState, *, optimistic_lock: bool) -> dict[str, str]:
    """What these readings prove, name -> evidence; `state` is what was known before them.

    `weak`: the box says it; `strong`: it was seen to change. A lock reading that may only echo the command stays weak.
    """
    fresh = {name: one.value for name, one in delta.items() if not one.retained}
    found = {name: "weak" for name in (*FLIPS, *MOVES) if name in fresh}
    found |= {name: "strong" for name in REPORTED if name in fresh}
    for name in (*FLIPS, *MOVES):
        before = state.get(name) or {}
        if name in fresh and before.get("at") and before.get("value") != fresh[name]:
            found[name] = "strong"
    if optimistic_lock and "locked" in found:
        found["locked"] = "weak"
    if "latitude" in fresh and "longitude" in fresh:
        found[POSITION] = "strong" if fresh.get("gps_lock", True) is True else "weak"
    return found


def unseen(capabilities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is still to be shown: never reported, or never seen to change."""
    return [name for name in EXPECTED if capabilities.get(name, {}).get("evidence") != "strong"]


def merged(known: Mapping[str, Any], found: Mapping[str, str], at: str) -> dict[str, Any] | None:
    """The capabilities with what is new or better proved; None when there is nothing to write."""
    better = {
        name: {"seen_at": at, "evidence": evidence}
        for name, evidence in found.items()
        if name not in known or (evidence == "strong" and known[name]["evidence"] == "weak")
    }
    return {**known, **better} if better else None


def opens(config: Mapping[str, Any], *, has_pin: bool) -> bool:
    """Whether both door commands can be written as the box is set up: a PIN, or a relay for each."""
    if config.get("how", "native") == "native":
        return has_pin
    return bool(config.get("unlock") and config.get("lock"))


def seen_to_open(capabilities: Mapping[str, Mapping[str, Any]]) -> datetime | None:
    """Since when both were seen: that it unlocked the car by a command, and that it locked it; None: not yet."""
    seen = [capabilities.get(kind, {}).get("seen_at") for kind in ("unlock", "lock")]
    return max(datetime.fromisoformat(one) for one in seen if one) if all(seen) else None
