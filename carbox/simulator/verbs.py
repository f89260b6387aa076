"""What a hand may do to a simulated car and its box: every verb with its words, for HTTP, command line and view."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbox.simulator import power, travel
from carbox.simulator.firmware import Firmware

Body = Mapping[str, Any]
TRUE: Final = frozenset({"yes", "true", "on", "1"})
FALSE: Final = frozenset({"no", "false", "off", "0"})


@dataclass(frozen=True, slots=True)
class Verb:
    """`takes`: the names of its values, with a default or the choices after `=`."""

    says: str
    takes: str
    move: Callable[[Firmware, Body], None]


def flag(value: Any) -> bool:
    """JSON's true, or a word of the command line. Raises ValueError."""
    word = str(value).lower()
    if word not in TRUE | FALSE:
        raise ValueError(f"yes or no, not {value}")
    return word in TRUE


def move(box: Firmware, verb: str, body: Body) -> None:
    """Raises LookupError for a verb there is not, ValueError for what it lacks, Impossible."""
    known = VERBS[verb]
    try:
        known.move(box, body)
    except KeyError as missing:
        raise ValueError(f"{verb} takes {known.takes}; missing: {missing}") from missing


def _seconds(box: Firmware, body: Body, default: float) -> float:
    """Given in seconds of whoever watches; the box counts its own."""
    return float(body.get("seconds", default)) / box.clock.pace


def _place(body: Body) -> tuple[float, float]:
    return (float(body["latitude"]), float(body["longitude"]))


def _drive(box: Firmware, body: Body) -> None:
    was_on = box.car.on
    travel.drive(box.car, float(body["km"]))
    travel.skip(box.car, float(body.get("minutes", 0)))
    if not was_on:
        box.notice()
        box.car.ignite(on=False)


def _drive_to(box: Firmware, body: Body) -> None:
    travel.drive_to(box.car, _place(body), _seconds(box, body, 0))


def _doors(box: Firmware, body: Body) -> None:
    for door, how in body.items():
        if how not in {"open", "closed"}:
            raise ValueError("a door is open or closed")
        box.car.set_door(door, is_open=how == "open")


def _keys(box: Firmware, body: Body) -> None:
    box.car.keys_in_glove_box = flag(body["in_glove_box"])


def _jam(box: Firmware, body: Body) -> None:
    box.car.jammed = flag(body.get("jammed", box.car.jammed))
    if "lag_s" in body:
        box.car.lag_s = float(body["lag_s"]) / box.clock.pace


def _plug(box: Firmware, body: Body) -> None:
    power.plug(box.car, plugged=flag(body["plugged"]), quick=flag(body.get("quick", False)))


def _battery(box: Firmware, body: Body) -> None:
    percent = float(body["percent"])
    if not 0 <= percent <= 100:
        raise ValueError("percent lies in 0..100")
    box.car.percent = percent


def _alarm(box: Firmware, body: Body) -> None:
    box.car.alarm = flag(body["on"])
    box.car.stir()


def _reboot(box: Firmware, body: Body) -> None:
    box.reboot(_seconds(box, body, 1), stale=flag(body.get("stale", True)))


def _wire(box: Firmware, body: Body) -> None:
    box.profile.ports.wire(int(body["port"]), str(body["to"]), int(body.get("level", 1)))


def _config(box: Firmware, body: Body) -> None:
    box.profile.config[str(body["name"])] = str(body["value"])


def _hook(box: Firmware, body: Body) -> None:
    box.profile.config.hook = flag(body["on"])


def _fault(box: Firmware, body: Body) -> None:
    box.set_fault(str(body["kind"]), _seconds(box, body, 1), int(body.get("times", -1)))


VERBS: Final[dict[str, Verb]] = {
    "drive": Verb("drive so far at once, somewhere", "km minutes=0", _drive),
    "drive_to": Verb("drive straight to a place and stay on", "latitude longitude seconds=0", _drive_to),
    "park": Verb(
        "switch off where it is by now, close all doors; not locked", "", lambda box, _: travel.park(box.car)
    ),
    "ignition": Verb("switch on or off", "on=yes|no", lambda box, body: box.car.ignite(on=flag(body["on"]))),
    "position": Verb(
        "put it there unnoticed", "latitude longitude", lambda box, body: travel.put(box.car, _place(body))
    ),
    "tow": Verb("carry it away", "latitude longitude", lambda box, body: travel.tow(box.car, _place(body))),
    "doors": Verb("open or close: fl fr rl rr trunk hood", "fl=open|closed ...", _doors),
    "lock": Verb(
        "turn the key in the door",
        "locked=yes|no",
        lambda box, body: box.car.turn_lock(locked=flag(body["locked"])),
    ),
    "jam": Verb("the bolts do not move; or are shown late", "jammed=yes|no lag_s", _jam),
    "lie": Verb(
        "it says locked and is open, unlocked and is not, or nothing",
        "says=locked|unlocked|nothing",
        lambda box, body: box.car.tell_lies(str(body["says"])),
    ),
    "keys": Verb("leave the keys in the glove box, or take them", "in_glove_box=yes|no", _keys),
    "plug": Verb("plug in, which begins a charge, or pull the plug", "plugged=yes|no quick=no", _plug),
    "charge": Verb(
        "plug in if need be and charge so long at once",
        "minutes",
        lambda box, body: power.charge_for(box.car, float(body["minutes"])),
    ),
    "battery": Verb("set the state of charge", "percent", _battery),
    "drain": Verb(
        "let the 12 V battery sag, or recover: alert below 11.5, off below 10.5",
        "volts=11.4",
        lambda box, body: power.drain(box.car, float(body.get("volts", 11.4))),
    ),
    "pass": Verb(
        "let time go by: charging goes on, 12 V rests",
        "minutes",
        lambda box, body: travel.skip(box.car, float(body["minutes"])),
    ),
    "alarm": Verb("the alarm sounds, or no longer", "on=yes|no", _alarm),
    "sleep": Verb("the car falls asleep", "", lambda box, _: box.car.sleep()),
    "wake": Verb("the car wakes for a minute", "", lambda box, _: box.car.stir()),
    "garage": Verb(
        "no satellites, no network, no goodbye; or out again",
        "inside=yes|no",
        lambda box, body: box.enter_garage(inside=flag(body["inside"])),
    ),
    "reboot": Verb(
        "the box dies, is back after so many seconds and tells old values until the car stirs",
        "seconds=1 stale=yes",
        _reboot,
    ),
    "wire": Verb(
        "hang something on a port: unlock lock immobilise release status keys nothing",
        "port to level=1",
        _wire,
    ),
    "config": Verb("set param/instance, e.g. xsq/canwrite", "name value", _config),
    "hook": Verb("put in the script that answers lock and unlock, or take it out", "on=yes|no", _hook),
    "fault": Verb("something goes wrong from now on", "kind seconds=1 times=-1", _fault),
}
