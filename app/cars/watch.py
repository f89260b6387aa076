"""Which alerts stand for a car now: pure rules over what its box said, and over what stood before.

A cause begins at one limit and ends at another, so that a value which trembles around a limit is one alert, not many. What
cannot be judged at the moment (a 12 V battery while the car is on) stays as it stood.
"""

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from app.cars import kept
from app.cars.kept import Kept

CHARGE_LOW, CHARGE_FINE = 20, 30
VOLTS_LOW, VOLTS_FINE = 11.9, 12.2
"""At rest: a lead battery at 11.9 V is nearly empty, at 12.2 V half full. Below, the box falls silent."""
TYRE_SOFT, TYRE_FINE = 0.75, 0.85
"""Against the middle of the four wheels; a wheel that lost a quarter is flat, not cold."""
DOOR_OPEN_FOR = timedelta(minutes=10)
OWNER_AFTER = {
    "charge_low": timedelta(hours=1),
    "charge_short": timedelta(hours=1),
    "battery_12v_low": timedelta(hours=1),
    "battery_12v_falling": timedelta(hours=1),
    "tyre": timedelta(hours=1),
    "alarm": timedelta(minutes=10),
    "carried": timedelta(minutes=10),
    "door_open": timedelta(minutes=20),
}
"""How long whoever holds the car has before the owner is told too. A car that is not plugged in is the owner's at once."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The readings that alerts are made from; None: not known, or of unknown age."""

    charge_percent: float | None = None
    plugged: bool | None = None
    charging: bool | None = None
    drivable: bool | None = None
    battery_12v: float | None = None
    open_doors: tuple[str, ...] = ()
    tyre_kpa: tuple[float, ...] = ()
    tyre_alert: tuple[float, ...] = ()
    alarm: bool | None = None
    carried: bool | None = None
    battery_celsius: float | None = None

    @property
    def rests(self) -> bool:
        """Neither on nor charging: then the 12 V battery stands for itself."""
        return self.drivable is False and self.charging is not True


def seen(state: Kept) -> Seen:
    """From the readings kept with a box."""

    def value(name: str) -> Any:
        return kept.value(state, name) if kept.instant(state, name) else None

    return Seen(
        charge_percent=value("charge_percent"),
        plugged=value("plugged"),
        charging=value("charging"),
        drivable=value("drivable"),
        battery_12v=value("battery_12v"),
        open_doors=tuple(name for name in kept.DOORS if value(name) is True),
        tyre_kpa=tuple(value("tyre_kpa") or ()),
        tyre_alert=tuple(value("tyre_alert") or ()),
        alarm=value("alarm"),
        carried=_while_off(state, "carried"),
        battery_celsius=value("battery_celsius"),
    )


def _while_off(state: Kept, name: str) -> bool | None:
    """What a box tells but once: it counts until it tells whether the car is on, and then stands as it stood."""
    at, on_at = kept.instant(state, name), kept.instant(state, "drivable")
    return True if at is not None and (on_at is None or at > on_at) else None


def causes(now: Seen, stood: frozenset[str]) -> frozenset[str]:
    """What stands at each reading. Doors, plug, trend and the next rental are judged at their own times."""
    judged = {
        "charge_low": _below(now.charge_percent, CHARGE_LOW, CHARGE_FINE),
        "battery_12v_low": _below(now.battery_12v, VOLTS_LOW, VOLTS_FINE) if now.rests else None,
        "tyre": _soft(now),
        "alarm": now.alarm,
        "carried": now.carried or (False if now.drivable is True else None),
        "door_open": None if doors_wait(now) else False,
        "not_plugged": False if now.plugged or now.charging else None,
    }
    return frozenset(
        cause for cause, stands in judged.items() if (cause in stood if stands is None else stands)
    ) | (stood - judged.keys())


def _below(value: float | None, low: float, fine: float) -> bool | None:
    if value is None or low <= value < fine:
        return None
    return value < low


def doors_wait(now: Seen) -> bool:
    """A door is open while nobody drives: from here on its time runs."""
    return bool(now.open_doors) and now.drivable is not True


def soft_wheels(now: Seen) -> tuple[int, ...]:
    """Which wheels want air: by the car's own alert, else by their pressure. 0 to 3: front left, right, rear left, right."""
    alerted = tuple(index for index, level in enumerate(now.tyre_alert) if level >= 1)
    return alerted or _softer_than(now.tyre_kpa, TYRE_SOFT)


def _softer_than(kpa: tuple[float, ...], share: float) -> tuple[int, ...]:
    usual = median(kpa) if kpa else 0.0
    return tuple(index for index, one in enumerate(kpa) if one < share * usual)


def _soft(now: Seen) -> bool | None:
    if not now.tyre_kpa and not now.tyre_alert:
        return None
    if soft_wheels(now):
        return True
    return None if _softer_than(now.tyre_kpa, TYRE_FINE) else False


def wants_plug(now: Seen, plug_below: float | None) -> bool:
    """A car at rest that the owner's rule wants on the cable."""
    if plug_below is None or now.charge_percent is None or now.drivable is not False:
        return False
    return now.charge_percent < plug_below and now.plugged is False and now.charging is not True
