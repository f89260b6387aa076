"""The car around the box: locks, doors, keys, battery and way; and what its box can see of it."""

import time
from dataclasses import dataclass, field
from typing import Final

from carbox.simulator.profiles import Profile

DOORS: Final = ("fl", "fr", "rl", "rr", "trunk", "hood")
CHARGE_KW: Final = 7.4
KM_PER_DEGREE: Final = 111.0
AWAKE_S: Final = 60.0


class Impossible(Exception):
    """The car cannot do that as it stands."""


@dataclass(slots=True)
class Car:
    """`locked` is what the bolts do, `seen_locked` what the car's own network says."""

    profile: Profile
    vin: str
    locked: bool = True
    seen_locked: bool = True
    jammed: bool = False
    lag_s: float = 0.0
    on: bool = False
    valet: bool = False
    immobilised: bool = False
    climate: bool = False
    plugged: bool = False
    charging: bool = False
    charge_state: str = "done"
    charge_limit_a: int = 32
    percent: float = 80.0
    odometer_km: float = 41940.5
    trip_km: float = 0.0
    latitude: float = 48.137154
    longitude: float = 11.576124
    volts_12: float = 12.6
    keys_in_glove_box: bool = True
    key_port: int = 6
    key_level: int = 1
    relays: dict[int, str] = field(default_factory=lambda: {4: "unlock", 5: "lock", 7: "immobilise"})
    open_doors: set[str] = field(default_factory=set)
    outputs: set[int] = field(default_factory=set)
    follows_at: float = 0.0
    awake_until: float = 0.0

    def turn_lock(self, *, locked: bool) -> None:
        """By command, relay or key: the bolts move unless they are jammed."""
        if not self.jammed:
            self.locked = locked
        if self.profile.echoes_lock:
            self.seen_locked = locked
        self.follows_at = time.monotonic() + self.lag_s

    def wake(self) -> None:
        self.awake_until = time.monotonic() + AWAKE_S

    def settle(self) -> None:
        """Let the car's network catch up with the bolts."""
        if time.monotonic() < self.follows_at:
            return
        forced = self.profile.echoes_lock and self.seen_locked and not self.open_doors
        if not forced and not (self.profile.echoes_lock and self.jammed):
            self.seen_locked = self.locked

    def pulse(self, port: int) -> None:
        """A relay closes and opens again."""
        wired = self.relays.get(port)
        if wired in {"lock", "unlock"}:
            self.turn_lock(locked=wired == "lock")

    def set_output(self, port: int, level: int) -> None:
        (self.outputs.add if level else self.outputs.discard)(port)
        if self.relays.get(port) == "immobilise":
            self.immobilised = level == 1

    def set_door(self, door: str, *, is_open: bool) -> None:
        if door not in DOORS:
            raise Impossible(f"no door {door}")
        if is_open and self.locked and door not in self.open_doors:
            raise Impossible("the car is locked")
        (self.open_doors.add if is_open else self.open_doors.discard)(door)
        if is_open and self.profile.echoes_lock:
            self.seen_locked = False

    def ignite(self, *, on: bool) -> None:
        if on and (self.immobilised or self.valet or self.plugged):
            raise Impossible("the car does not start")
        self.on = on
        self.volts_12 = 14.2 if on else 12.6

    def drive(self, km: float) -> None:
        used = km / self.profile.range_km * 100
        if used > self.percent:
            raise Impossible("not enough charge")
        self.ignite(on=True)
        self.percent -= used
        self.odometer_km += km
        self.trip_km += km
        self.latitude += km / KM_PER_DEGREE / 50

    def plug(self, *, plugged: bool) -> None:
        if plugged and self.on:
            raise Impossible("the car is on")
        self.plugged = plugged
        self.charge(start=plugged and self.percent < 100)

    def charge(self, *, start: bool) -> None:
        was = self.charging
        self.charging = start and self.plugged
        self.charge_state = "charging" if self.charging else ("stopped" if was else self.charge_state)

    def pass_time(self, minutes: float) -> None:
        """Charging goes on; a resting 12 V battery loses a little."""
        if self.charging:
            self.percent += CHARGE_KW * minutes / 60 / self.profile.capacity_kwh * 100
            if self.percent >= 100:
                self.percent, self.charging, self.charge_state = 100.0, False, "done"
        elif not self.on:
            self.volts_12 = max(11.5, self.volts_12 - 0.0001 * minutes)

    def input_level(self, port: int) -> int:
        if port == self.key_port:
            return self.key_level if self.keys_in_glove_box else 1 - self.key_level
        return int(port <= 3)
