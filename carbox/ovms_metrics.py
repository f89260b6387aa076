"""OVMS metrics put into our names and units; odd words of single car modules are made the documented ones.

Source: the OVMS v3 firmware's metric list; units over MQTT are always native.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from carbox.box import DOOR_NAMES, DoorWiring, Value

CHARGE_WORDS: Final = {
    "prepare": "preparing",
    "standard": "type1",  # MI says how fast instead of by which plug
    "quickcharge": "chademo",
    "undefined": "",
    "none": "",
}
MODE_WORDS: Final = {"type1": "standard", "chademo": "quick", "undefined": "", "none": ""}
PRESENT: Final = ("s.v3.connected", "m.version")
"""Sent by a box only on connecting, every 20 minutes and when asked: their arrival answers a request."""

TOLD_ONCE: Final[Mapping[str, str]] = {"alert.flatbed.moved": "carried"}
"""Notifications that say of the car what no metric does: our name of the reading, which is true when they come."""

RESTORED: Final = frozenset(
    (
        *("locked", "drivable", "awake", "valet", "odometer_km", "park_seconds", "drive_seconds"),
        *("charging", "charge_port_open", "charge_percent", "health_percent", "range_km", "range_ideal_km"),
        *("charged_kwh", "charged_grid_kwh", "charge_limit_percent", "used_kwh", "recovered_kwh"),
    )
)
"""Readings of the car that a box keeps over a reboot and tells anew as if it had just seen them."""
OWN_WORK: Final = frozenset(("park_seconds", "drive_seconds", "range_km", "range_ideal_km"))
"""Readings that a box counts on, or with some vehicles works out of others it keeps: that they change shows no car."""
SHOWS_CAR: Final = frozenset(DOOR_NAMES)
"""Readings that a reboot forgets (the firmware's list of metrics keeps none): told, they show that the box hears its car."""


def _flag(text: str) -> Value | None:
    return {"yes": True, "no": False}.get(text.lower())


def _number(text: str) -> Value | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _between(low: float, high: float) -> Callable[[str], Value | None]:
    def parse(text: str) -> Value | None:
        value = _number(text)
        return value if isinstance(value, float) and low <= value <= high else None

    return parse


def _text(text: str) -> Value | None:
    return text or None


def _word(words: Mapping[str, str]) -> Callable[[str], Value | None]:
    def parse(text: str) -> Value | None:
        return words.get(text.lower(), text.lower()) or None

    return parse


def _vector(text: str) -> Value | None:
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


METRICS: Final[Mapping[str, tuple[str, Callable[[str], Value | None]]]] = {
    "s.v3.connected": ("connected", _flag),
    "v.type": ("vehicle_type", _text),
    "v.vin": ("vin", _text),
    "m.version": ("firmware", _text),
    "v.b.soc": ("charge_percent", _between(0, 100)),
    "v.b.soh": ("health_percent", _between(0, 100)),
    "v.b.range.est": ("range_km", _number),
    "v.b.range.ideal": ("range_ideal_km", _number),
    "v.b.range.full": ("range_full_km", _number),
    "v.b.capacity": ("capacity_kwh", _number),
    "v.b.temp": ("battery_celsius", _number),
    "v.c.charging": ("charging", _flag),
    "v.c.state": ("charge_state", _word(CHARGE_WORDS)),
    "v.c.substate": ("charge_substate", _word({})),
    "v.c.type": ("charge_type", _word(CHARGE_WORDS)),
    "v.c.mode": ("charge_mode", _word(MODE_WORDS)),
    "v.c.pilot": ("pilot", _flag),
    "v.d.cp": ("charge_port_open", _flag),
    "v.c.current": ("charge_amps", _number),
    "v.c.voltage": ("charge_volts", _number),
    "v.c.power": ("charge_kw", _number),
    "v.c.kwh": ("charged_kwh", _number),
    "v.c.kwh.grid": ("charged_grid_kwh", _number),
    "v.c.duration.full": ("charge_full_minutes", _number),
    "v.c.limit.soc": ("charge_limit_percent", _between(0, 100)),
    "v.p.odometer": ("odometer_km", _number),
    "v.p.trip": ("trip_km", _number),
    "v.e.drivetime": ("drive_seconds", _number),
    "v.e.parktime": ("park_seconds", _number),
    "v.b.energy.used": ("used_kwh", _number),
    "v.b.energy.recd": ("recovered_kwh", _number),
    "v.e.locked": ("locked", _flag),
    "v.e.on": ("drivable", _flag),
    "v.e.awake": ("awake", _flag),
    "v.e.gear": ("gear", _number),
    "v.e.handbrake": ("handbrake", _flag),
    "v.e.valet": ("valet", _flag),
    "v.e.alarm": ("alarm", _flag),
    "v.e.headlights": ("headlights", _flag),
    "v.d.fl": ("door_fl", _flag),
    "v.d.fr": ("door_fr", _flag),
    "v.d.rl": ("door_rl", _flag),
    "v.d.rr": ("door_rr", _flag),
    "v.d.trunk": ("trunk", _flag),
    "v.d.hood": ("hood", _flag),
    "v.p.latitude": ("latitude", _between(-90, 90)),
    "v.p.longitude": ("longitude", _between(-180, 180)),
    "v.p.gpslock": ("gps_lock", _flag),
    "v.p.gpssq": ("gps_quality", _number),
    "v.p.gpshdop": ("gps_hdop", _number),
    "v.p.speed": ("speed_kmh", _number),
    "v.p.location": ("place_name", _text),
    "v.b.12v.voltage": ("battery_12v", _number),
    "v.b.12v.voltage.ref": ("battery_12v_reference", _number),
    "v.b.12v.voltage.alert": ("battery_12v_alert", _flag),
    "v.b.12v.current": ("battery_12v_amps", _number),
    "v.e.charging12v": ("charging_12v", _flag),
    "v.t.pressure": ("tyre_kpa", _vector),
    "v.t.temp": ("tyre_celsius", _vector),
    "v.t.health": ("tyre_health", _vector),
    "v.t.alert": ("tyre_alert", _vector),
    "v.e.serv.range": ("service_km", _number),
    "m.egpio.input": ("inputs_high", _vector),
    "m.egpio.output": ("outputs_high", _vector),
    "m.net.type": ("network", _text),
    "m.net.sq": ("network_dbm", _number),
}
"""Metric -> our name and parser. Dates are left out: they come quantised to 128 s."""

_METRIC_OF: Final = {name: metric for metric, (name, _parse) in METRICS.items()}
_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "plugged": ("pilot", "charge_port_open"),
    "keys_in_glove_box": ("inputs_high",),
}
"""Readings that no metric carries, and what they are made of."""


def normalised(metric: str, payload: str) -> tuple[str, Value] | None:
    """Our name and value of one metric, None for one we do not use or cannot read."""
    known = METRICS.get(metric)
    if known is None:
        return None
    value = known[1](payload.strip())
    return None if value is None else (known[0], value)


def sources(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that metrics carry directly and that these are made of."""
    return tuple(dict.fromkeys(part for name in names for part in _SOURCES.get(name, (name,))))


def metrics_of(names: tuple[str, ...]) -> str:
    """What to write into a request for these names."""
    return ",".join(_METRIC_OF[name] for name in sources(names) if name in _METRIC_OF)


def derived(name: str, values: Mapping[str, Value], wiring: DoorWiring | None) -> Iterator[tuple[str, Value]]:
    """What follows from a change of `name`: whether it is plugged in, whether the keys are there."""
    if name in _SOURCES["plugged"]:
        plugged = values.get("pilot", values.get("charge_port_open"))
        if plugged is not None:
            yield "plugged", plugged
    if name == "inputs_high" and wiring is not None and wiring.key_sensor is not None:
        high = values.get("inputs_high")
        sensor = wiring.key_sensor
        yield (
            "keys_in_glove_box",
            (isinstance(high, tuple) and sensor.port in high) == (sensor.present_level == 1),
        )
