"""How a car and its battery were used under one cover, derived from hourly readings and both ends; no place, no track.

Between two readings nobody knows, so minutes are counted where both readings beside them agree: they are the least it was.
What cannot be known is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

EMPTY, FULL = 10, 90
"""Percent of charge under which a battery suffers by depth, and over which it suffers by resting."""
HOUR: Final = timedelta(hours=1)
GAP: Final = 2 * HOUR
"""Readings further apart leave out an hour: what was between them is not known."""
BEFORE: Final = timedelta(days=7)
"""So far back it is looked how the car stood before it was taken."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The first reading of an hour; `volts` are those of a 12 V battery at rest."""

    at: datetime
    charge: float | None = None
    volts: float | None = None
    plugged: bool | None = None
    celsius: float | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """What the box told at both ends; `seen`: it showed the lock as it happened, so that its last reading is of then."""

    charge_start: float | None
    charge_end: float | None
    km: int | None
    energy_wh: int | None
    seen: bool


def of_rental(hours: Sequence[Hour], from_at: datetime, to_at: datetime, ends: Ends) -> dict[str, Any]:
    """What the contract's `use` says. Hours are oldest first; those that are not wholly inside are no part of it."""
    inside = [one for one in hours if one.at >= from_at and one.at + HOUR <= to_at]
    charge_end = ends.charge_end if ends.seen else None
    charges = [(one.at, one.charge) for one in inside if one.charge is not None]
    points = [(from_at, ends.charge_start), *charges, (to_at, charge_end)]
    known = [charge for _, charge in points if charge is not None]
    volts = [one.volts for one in inside if one.volts is not None]
    celsius = [one.celsius for one in inside if one.celsius is not None]
    return {
        "charge_start_percent": ends.charge_start,
        "charge_end_percent": charge_end,
        "charge_min_percent": min(known) if known else None,
        "minutes_below_10_percent": _minutes_below(points),
        "energy_out_wh": ends.energy_wh,
        "km": ends.km,
        "battery_12v_min": min(volts) if volts else None,
        "pack_celsius_min": min(celsius) if celsius else None,
        "pack_celsius_max": max(celsius) if celsius else None,
        "hours_read": len(inside),
        "before": _before(hours, from_at),
    }


def _minutes_below(points: Sequence[tuple[datetime, float | None]]) -> int | None:
    """None where an end is not known or a reading is missing in between."""
    total = timedelta()
    for (begin, one), (end, other) in pairwise(points):
        if one is None or other is None or end - begin > GAP:
            return None
        if max(one, other) < EMPTY:
            total += end - begin
    return total // timedelta(minutes=1)


def _before(hours: Sequence[Hour], from_at: datetime) -> dict[str, Any]:
    """How it stood, unused, until it was taken: plugged in, and for how long nearly full."""
    stood = list[Hour]()
    for one in reversed([one for one in hours if from_at - BEFORE <= one.at and one.at + HOUR <= from_at]):
        if one.used:
            break
        stood.append(one)
    plugs = [one.plugged for one in stood if one.plugged is not None]
    charges = [one.charge for one in stood if one.charge is not None]
    return {
        "plugged": any(plugs) if plugs else None,
        "minutes_above_90_percent": 60 * sum(one > FULL for one in charges) if charges else None,
        "hours_read": len(stood),
    }
