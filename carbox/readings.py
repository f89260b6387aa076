"""What a box reported, in our names and units, with what is known of its age."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

Value = bool | int | float | str | tuple[float, ...]

DOOR_NAMES: Final = ("door_fl", "door_fr", "door_rl", "door_rr", "trunk", "hood")
"""Readings that are True while that door is open."""
UNLOCK_NAMES: Final = ("locked", *DOOR_NAMES, "drivable", "odometer_km", "charge_percent")
LOCK_NAMES: Final = (*UNLOCK_NAMES, "keys_in_glove_box", "plugged", "latitude", "longitude")
"""What to ask for before and after a lock that ends a rental."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value in our names and units, stamped with real time on arrival.

    A retained value was kept by the broker, or by the box over a reboot: when it was so is unknown.
    """

    name: str
    value: Value
    received_at: datetime
    retained: bool

    @property
    def at(self) -> datetime | None:
        """When it was so, as far as the box knows; None = unknown."""
        return None if self.retained else self.received_at


class BoxState(Mapping[str, Reading]):
    """Readings by name; a name that the box never sent is missing.

    Names: charge_percent, range_km, odometer_km, locked, drivable, door_fl door_fr door_rl door_rr trunk hood
    (True = open), plugged, charging, charge_state, charge_type, keys_in_glove_box, latitude, longitude,
    gps_lock, battery_12v, speed_kmh, connected, awake, valet, alarm, vin, vehicle_type, firmware and the
    further ones of `carbox/ovms_metrics.py`.
    """

    def __init__(self, readings: Mapping[str, Reading] | None = None) -> None:
        self._readings = dict(readings or {})

    def __getitem__(self, name: str) -> Reading:
        return self._readings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._readings)

    def __len__(self) -> int:
        return len(self._readings)

    def __repr__(self) -> str:
        return f"BoxState({ {name: reading.value for name, reading in self._readings.items()} })"

    def value(self, name: str) -> Value | None:
        """The last known value, None if unknown."""
        reading = self._readings.get(name)
        return None if reading is None else reading.value

    def number(self, name: str) -> float | None:
        value = self.value(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def flag(self, name: str) -> bool | None:
        value = self.value(name)
        return value if isinstance(value, bool) else None

    def at(self, name: str) -> datetime | None:
        """When the box said so; None = never, or a retained value of unknown age."""
        reading = self._readings.get(name)
        return None if reading is None else reading.at

    @property
    def open_doors(self) -> tuple[str, ...]:
        """The doors known to be open."""
        return tuple(name for name in DOOR_NAMES if self.flag(name))
