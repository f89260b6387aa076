"""What a box makes of a change: events, notifications and history records."""

from collections.abc import Mapping
from typing import Final

from carbox.simulator import power, travel
from carbox.simulator.car import Car
from carbox.simulator.metrics import metrics, yes_no
from carbox.simulator.profiles.profile import VALET_KM, Profile
from carbox.simulator.shell import Shell

FLATBED_KM: Final = 0.5
IDLE_S: Final = 900.0
"""Our own figures: the sheet names the alerts only."""
EVENTS: Final[Mapping[tuple[str, str], str]] = {
    ("v.e.locked", "yes"): "vehicle.locked",
    ("v.e.locked", "no"): "vehicle.unlocked",
    ("v.e.on", "yes"): "vehicle.on",
    ("v.e.on", "no"): "vehicle.off",
    ("v.e.awake", "yes"): "vehicle.awake",
    ("v.e.awake", "no"): "vehicle.asleep",
    ("v.e.alarm", "yes"): "vehicle.alarm.on",
    ("v.e.alarm", "no"): "vehicle.alarm.off",
    ("v.c.pilot", "yes"): "vehicle.charge.pilot.on",
    ("v.c.pilot", "no"): "vehicle.charge.pilot.off",
    ("v.c.charging", "yes"): "vehicle.charge.start",
    ("v.c.charging", "no"): "vehicle.charge.stop",
    ("v.b.12v.voltage.alert", "yes"): "vehicle.alert.12v.on",
    ("v.b.12v.voltage.alert", "no"): "vehicle.alert.12v.off",
    ("sign.finished", "yes"): "vehicle.charge.finished",
    ("sign.12v.low", "yes"): "vehicle.alert.12v.low",
    ("sign.12v.shutdown", "yes"): "vehicle.alert.12v.shutdown",
    ("sign.flatbed", "yes"): "location.alert.flatbed.moved",
    ("sign.bounds", "yes"): "location.alert.valet.bounds",
}
"""A metric's new value, or a sign that no metric carries, and the event it is."""
ALL_CHANGED: Final = frozenset(
    {
        "vehicle.locked",
        "vehicle.unlocked",
        "vehicle.on",
        "vehicle.off",
        "vehicle.awake",
        "vehicle.charge.start",
        "vehicle.charge.stop",
        "vehicle.charge.finished",
        "location.alert.flatbed.moved",
        "location.alert.valet.bounds",
    }
)
"""Events at which everything that has changed is sent at once."""
ALERTS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("v.b.12v.voltage.alert", "yes"): ("batt.12v.alert", "Alert: 12V battery critical: {volts:.1f}V"),
    ("sign.soc.low", "yes"): ("batt.soc.alert", "Alert: battery at {percent:.1f}%"),
    ("sign.flatbed", "yes"): ("flatbed.moved", "Vehicle is being transported while parked"),
    ("v.e.alarm", "yes"): ("alarm.sounding", "Vehicle alarm is sounding"),
    ("sign.idle", "yes"): ("vehicle.idle", "Vehicle is idling / stopped turned on"),
}


def watched(profile: Profile) -> dict[str, str]:
    """The metrics, and the signs that no metric carries."""
    car = profile.car
    place = (car.latitude, car.longitude)
    bounds = profile.valet_from is not None and travel.distance_km(profile.valet_from, place) > VALET_KM
    since = car.clock.now() - car.on_since
    signs = {
        "finished": car.charge_state == "done" and not car.charging,
        "12v.low": car.volts_12 < power.LOW_12V,
        "12v.shutdown": car.volts_12 < power.OFF_12V,
        "soc.low": car.percent < power.LOW_PERCENT,
        "flatbed": travel.carried_km(car) > FLATBED_KM,
        "bounds": bounds,
        "idle": car.on and car.journey is None and car.trip_km == 0 and since > IDLE_S,
    }
    return metrics(profile) | {f"sign.{name}": yes_no(value) for name, value in signs.items()}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str]]:
    """What has another value now."""
    return [(name, value) for name, value in after.items() if before.get(name) != value]


def events(before: Mapping[str, str], after: Mapping[str, str], monitored: set[int]) -> list[str]:
    """The events of a change; those of ports only for ports that are monitored."""
    found = [EVENTS[change] for change in changes(before, after) if change in EVENTS]
    was, now = (set(filter(None, values["m.egpio.input"].split(","))) for values in (before, after))
    turned = sorted(port for port in was ^ now if int(port) in monitored)
    return [*found, *(f"egpio.input.{port}.{'high' if port in now else 'low'}" for port in turned)]


def notifications(
    before: Mapping[str, str], after: Mapping[str, str], car: Car, shell: Shell
) -> list[tuple[str, str]]:
    """`kind/sub/type` and text. A charge that ended is news when planned, an alert otherwise."""
    found = []
    for change in changes(before, after):
        if change in ALERTS:
            name, text = ALERTS[change]
            words = text.format(volts=car.volts_12, percent=car.percent)
            found.append((f"alert/{name.replace('.', '/')}", words))
        elif change == ("v.c.charging", "no"):
            kind = "alert" if car.charge_substate == "interrupted" else "info"
            word = "done" if car.charge_state == "done" else "stopped"
            found.append((f"{kind}/charge/{word}", shell.run("stat")))
    return found


def history(before: Mapping[str, str], after: Mapping[str, str], car: Car) -> list[tuple[str, str]]:
    """`sub/type` and the line of a trip or a charge that has ended; the columns are our own."""
    found = []
    for change in changes(before, after):
        if change == ("v.e.on", "no") and car.trip_km:
            found.append(
                ("log/trip", f"*-LOG-Trip,{car.trip_km:.1f},{car.odometer_km:.1f},{car.percent:.1f}")
            )
        elif change == ("v.c.charging", "no"):
            found.append(("log/grid", f"*-LOG-Grid,{car.charged_kwh:.2f},{car.percent:.1f}"))
    return found
