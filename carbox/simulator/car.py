"""The car around the box: bolts, doors, keys and ignition. It knows nothing of its box."""

from dataclasses import dataclass, field
from typing import Final

from carbox.simulator.clock import Clock

DOORS: Final = ("fl", "fr", "rl", "rr", "trunk", "hood")
AWAKE_S: Final = 60.0
REST_12V: Final = 12.6
DRIVING_12V: Final = 14.2
HOME: Final = (48.137154, 11.576124)
LIES: Final = ("locked", "unlocked", "nothing")


class Impossible(Exception):
    """The car cannot do that as it stands."""


@dataclass(frozen=True, slots=True)
class Journey:
    """On the way from one place to another, in seconds of the car's clock."""

    start: tuple[float, float]
    end: tuple[float, float]
    km: float
    began_at: float
    takes_s: float


@dataclass(slots=True)
class Car:
    """`locked` is what the bolts do; what the box says of them is its profile's matter."""

    clock: Clock
    vin: str
    capacity_kwh: float
    range_km: float
    locked: bool = True
    shown_locked: bool = True
    lie: str = "nothing"
    jammed: bool = False
    lag_s: float = 0.0
    follows_at: float = 0.0
    on: bool = False
    alarm: bool = False
    immobilised: bool = False
    held: bool = False
    """By a valet mode: it does not start."""
    climate_until: float = 0.0
    plugged: bool = False
    quick: bool = False
    charging: bool = False
    charge_state: str = "done"
    charge_substate: str = ""
    charge_limit_a: int = 32
    charge_mode: str = "standard"
    charged_kwh: float = 0.0
    charge_ended_at: float | None = None
    percent: float = 80.0
    used_kwh: float = 0.0
    recovered_kwh: float = 0.0
    odometer_km: float = 41940.5
    trip_km: float = 0.0
    latitude: float = HOME[0]
    longitude: float = HOME[1]
    fix: tuple[float, float] | None = None
    """Where it was when the satellites were last in view; None = they are."""
    left_at: tuple[float, float] | None = None
    """Where it was parked, if it has been carried away since."""
    journey: Journey | None = None
    drive_s: float = 0.0
    on_since: float = 0.0
    parked_at: float = 0.0
    contactor_cycles: int = 0
    volts_12: float = REST_12V
    keys_in_glove_box: bool = True
    open_doors: set[str] = field(default_factory=set)
    doors_opened: int = 0
    openings: list[float] = field(default_factory=list)
    """When its bolts opened, whoever moved them, in seconds since 1970 of the world around."""
    asleep: bool = False
    awake_until: float = 0.0
    stirred_at: float = 0.0
    settled_at: float = 0.0

    def __post_init__(self) -> None:
        self.parked_at = self.settled_at = self.clock.now()

    @property
    def awake(self) -> bool:
        """An unlocked car stays awake unless it is sent to sleep."""
        stirring = self.clock.now() < self.awake_until
        return self.on or self.charging or stirring or not (self.locked or self.asleep)

    @property
    def climate(self) -> bool:
        return self.clock.now() < self.climate_until

    def stir(self) -> None:
        """Something happens: the car's network wakes for a minute."""
        self.asleep, self.stirred_at = False, self.clock.now()
        self.awake_until = self.stirred_at + AWAKE_S

    def sleep(self) -> None:
        """Raises Impossible while it is on or charging."""
        if self.on or self.charging:
            raise Impossible("a car that is on or charging does not sleep")
        self.asleep, self.awake_until = True, 0.0

    def turn_lock(self, *, locked: bool) -> None:
        """By key, relay or module: the bolts move unless they are jammed, or the car is told to lie."""
        self.told_locked()
        if not self.jammed and self.lie == "nothing":
            if self.locked and not locked:
                self.openings.append(self.clock.outside())
            self.locked = locked
        self.stir()
        self.follows_at = self.clock.now() + self.lag_s

    def told_locked(self) -> bool:
        """What the car's own network says of the bolts, `lag_s` late."""
        if self.clock.now() >= self.follows_at:
            self.shown_locked = self.locked
        return self.shown_locked

    def tell_lies(self, says: str) -> None:
        """It says `locked` and is open, or `unlocked` and is not, and its bolts stay so. Raises ValueError."""
        if says not in LIES:
            raise ValueError(f"a car says {', '.join(LIES)}")
        self.lie = says
        if says != "nothing":
            self.locked = says == "unlocked"

    def set_door(self, door: str, *, is_open: bool) -> None:
        """Raises Impossible if there is no such door, or the car is locked."""
        if door not in DOORS:
            raise Impossible(f"no door {door}")
        if is_open and self.locked and door not in self.open_doors:
            raise Impossible("the car is locked")
        (self.open_doors.add if is_open else self.open_doors.discard)(door)
        self.stir()
        if is_open:
            self.doors_opened += 1

    def ignite(self, *, on: bool) -> None:
        """Raises Impossible for a car that does not start."""
        if on and (self.immobilised or self.held or self.plugged):
            raise Impossible("the car does not start")
        now = self.clock.now()
        if on and not self.on:
            self.trip_km, self.on_since, self.left_at = 0.0, now, None
            self.contactor_cycles += 1
        elif self.on and not on:
            self.parked_at, self.journey = now, None
            self.drive_s += now - self.on_since
        self.on = on
        self.volts_12 = DRIVING_12V if on else REST_12V
        self.stir()
