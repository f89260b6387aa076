"""What the terminal shows of one car, and which key does what: no terminal and no broker in here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from carbox.simulator.car import HOME, LIES
from carbox.simulator.faults import FAULTS

State = Mapping[str, Any]
"""As the control port tells it."""
Body = dict[str, Any]
COLUMN: Final = 38
AWAY: Final = (48.237154, 11.676124)


@dataclass(frozen=True, slots=True)
class Key:
    """A line for the box over MQTT, or a verb for the hand; its values depend on the state."""

    says: str
    verb: str = ""
    body: Callable[[State], Body] = lambda _state: {}
    line: str = ""


def _door(door: str) -> Callable[[State], Body]:
    return lambda state: {door: "closed" if door in state["car"]["open_doors"] else "open"}


def _turned(name: str, shown: str) -> Callable[[State], Body]:
    return lambda state: {name: not state["car"][shown]}


def _after(name: str, choices: list[str], now: Callable[[State], str]) -> Callable[[State], Body]:
    """The choice after the present one, from the last again to the first."""
    return lambda state: {name: choices[(choices.index(now(state)) + 1) % len(choices)]}


def _destination(state: State) -> Body:
    """To the other of two places, in a minute."""
    away = abs(state["car"]["latitude"] - AWAY[0]) < 0.01
    latitude, longitude = HOME if away else AWAY
    return {"latitude": latitude, "longitude": longitude, "seconds": 60}


def _elsewhere(state: State) -> Body:
    return {"latitude": state["car"]["latitude"] + 0.01, "longitude": state["car"]["longitude"]}


KEYS: Final[dict[str, Key]] = {
    "u": Key("command: unlock", line="unlock 4711"),
    "l": Key("command: lock", line="lock 4711"),
    "t": Key("command: stat", line="stat"),
    "k": Key("turn the key in the door", "lock", _turned("locked", "locked")),
    "d": Key("driver's door", "doors", _door("fl")),
    "r": Key("rear left door", "doors", _door("rl")),
    "b": Key("boot", "doors", _door("trunk")),
    "g": Key("keys in the glove box, or not", "keys", _turned("in_glove_box", "keys_in_glove_box")),
    "i": Key("ignition", "ignition", _turned("on", "on")),
    "m": Key("drive 5 km at once", "drive", lambda _: {"km": 5}),
    "M": Key("drive to the other place", "drive_to", _destination),
    "p": Key("park", "park"),
    "v": Key("carry it away", "tow", _elsewhere),
    "c": Key("plug in, or pull the plug", "plug", _turned("plugged", "plugged")),
    "C": Key("charge half an hour", "charge", lambda _: {"minutes": 30}),
    "e": Key("battery at 15 %", "battery", lambda _: {"percent": 15}),
    "2": Key(
        "12 V battery sags, or recovers",
        "drain",
        lambda state: {"volts": 12.6 if state["car"]["volts_12"] < 12 else 11.4},
    ),
    "a": Key("alarm", "alarm", _turned("on", "alarm")),
    "s": Key("sleep", "sleep"),
    "w": Key("wake", "wake"),
    "h": Key("into the garage, or out", "garage", lambda state: {"inside": state["car"]["fix"] is None}),
    "o": Key("box reboots, old readings", "reboot", lambda _: {"seconds": 5}),
    "j": Key("bolts jam, or no longer", "jam", _turned("jammed", "jammed")),
    "y": Key("next lie", "lie", _after("says", list(LIES), lambda state: str(state["car"]["lie"]))),
    "f": Key("next fault", "fault", _after("kind", list(FAULTS), lambda state: str(state["fault"]["kind"]))),
    "n": Key("no fault", "fault", lambda _: {"kind": "none"}),
}
QUIT: Final = "q"


def screen(state: State, recent: list[str], said: str, width: int, height: int) -> list[str]:
    """The lines of a terminal of this size: the car as it is, the keys, what box and broker last said."""
    lines = [*_car(state), ""]
    keys = [f"{key}  {each.says}" for key, each in KEYS.items()] + [f"{QUIT}  quit"]
    columns = max(1, width // COLUMN)
    rows = -(-len(keys) // columns)
    parts = [keys[start : start + rows] for start in range(0, len(keys), rows)]
    lines += [
        "".join(part.ljust(COLUMN) for part in row).rstrip() for row in zip_longest(*parts, fillvalue="")
    ]
    lines += ["", said, ""]
    room = max(0, height - len(lines) - 1)
    lines += [line.replace("\n", " | ") for line in recent[-room:]] if room else []
    return [line[: width - 1] for line in lines[:height]]


def _car(state: State) -> list[str]:
    car = state["car"]
    fault = state["fault"]["kind"]
    doors = ", ".join(car["open_doors"]) or "all closed"
    charge = f"{car['percent']:.1f} %, {'quick ' if car['quick'] else ''}{car['charge_state']}"
    return [
        f"{state['profile']}  {state['username']}  {car['vin']}",
        (
            f"box     {'connected' if state['connected'] else 'not connected'}, line {state['line']},"
            f" tells as {state['rung']}, fault {fault}: {FAULTS[fault]}"
        ),
        (
            f"bolts   {'locked' if car['locked'] else 'open'}, the box says"
            f" {'locked' if car['said_locked'] else 'unlocked'}{', jammed' if car['jammed'] else ''}"
            f"{'' if car['lie'] == 'nothing' else ', it lies'}{', ALARM' if car['alarm'] else ''}"
        ),
        f"doors   {doors}; keys {'in the glove box' if car['keys_in_glove_box'] else 'gone'}",
        (
            f"car     {'on' if car['on'] else 'off'}, {'awake' if car['awake'] else 'asleep'},"
            f" {car['odometer_km']:.1f} km{', driving' if car['journey'] else ''}"
            f"{', immobilised' if car['immobilised'] else ''}"
        ),
        f"charge  {charge}, {'plugged in' if car['plugged'] else 'not plugged in'}; 12 V {car['volts_12']:.2f}",
        f"place   {car['latitude']:.6f}, {car['longitude']:.6f}{', in a garage' if car['fix'] else ''}",
    ]
