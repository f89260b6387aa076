"""What every OVMS module has: the base class of the firmware, on which a well-behaved car adds all there is."""

from enum import Enum, auto
from typing import ClassVar, Final

from carbox.simulator import power
from carbox.simulator.car import DOORS, Car
from carbox.simulator.config import Config
from carbox.simulator.ports import Ports

MODES: Final = ("standard", "storage", "range", "performance")
VALET_KM: Final = 0.5
"""Farther than this a car in valet mode has left its bounds; our own figure."""


class Outcome(Enum):
    DONE = auto()
    FAILED = auto()
    MISSING = auto()
    """The module has no code for it."""


CHARGE_CONTROL = frozenset({"start", "stop", "current", "mode"})


class Profile:
    """A well-behaved car: every command works, the PIN is compared, every reading is what it seems.

    The others override what differs. `door_s` and `climate_s`: how long such a command keeps the box busy.
    """

    vehicle_type: ClassVar[str] = ""
    capacity_kwh: ClassVar[float] = 60.0
    range_km: ClassVar[float] = 380.0
    selected: ClassVar[bool] = True
    lacks: ClassVar[frozenset[str]] = frozenset({"homelink"})
    """Commands that the module has no code for, as the shell names them."""
    doors: ClassVar[tuple[str, ...]] = DOORS
    tyres: ClassVar[bool] = True
    climate_minutes: ClassVar[float] = 15.0
    door_s: ClassVar[float] = 0.0
    climate_s: ClassVar[float] = 0.0

    def __init__(self, car: Car, ports: Ports, config: Config) -> None:
        self.car, self.ports, self.config = car, ports, config
        self.valet_from: tuple[float, float] | None = None
        """Where it was when valet mode was switched on; None = it is off."""

    def said_locked(self) -> bool:
        """`v.e.locked`, unless the car has been told to lie."""
        return self.car.told_locked()

    def locked(self) -> bool:
        return self.said_locked() if self.car.lie == "nothing" else self.car.lie == "locked"

    def turn(self, *, locked: bool, pin: str) -> Outcome:
        """`lock` and `unlock`."""
        if not self.pin_fits(pin):
            return Outcome.FAILED
        self.car.turn_lock(locked=locked)
        return Outcome.DONE

    def pin_fits(self, pin: str) -> bool:
        """Exactly the one that is set; if none is, nothing fits."""
        return bool(self.config.pin) and pin == self.config.pin

    def valet(self, *, on: bool, pin: str) -> Outcome:
        """The base class's: a flag behind the PIN. We let it keep the car from starting."""
        if not self.pin_fits(pin):
            return Outcome.FAILED
        self.valet_from = (self.car.latitude, self.car.longitude) if on else None
        self.car.held = on
        return Outcome.DONE

    def wake(self) -> Outcome:
        self.car.stir()
        return Outcome.DONE

    def homelink(self, number: int) -> Outcome:
        del number
        return Outcome.DONE

    def charge(self, *, start: bool) -> Outcome:
        """`charge start` and `charge stop`."""
        if not self.car.plugged:
            return Outcome.FAILED
        power.charge(self.car, start=start, substate="onrequest")
        return Outcome.DONE

    def limit(self, amps: int) -> Outcome:
        """`charge current`."""
        self.car.charge_limit_a = amps
        return Outcome.DONE

    def charge_mode(self, mode: str) -> Outcome:
        """`charge mode`."""
        if mode not in MODES:
            return Outcome.FAILED
        self.car.charge_mode = mode
        return Outcome.DONE

    def climate(self, *, on: bool) -> Outcome:
        """`climatecontrol`."""
        self.car.stir()
        self.car.climate_until = self.car.clock.now() + self.climate_minutes * 60 if on else 0.0
        return Outcome.DONE

    def elapse(self) -> None:
        """What ends by itself in the module."""

    def reported(self, known: dict[str, str]) -> dict[str, str]:
        """The metrics as this module tells them: what it lacks is missing, its odd words are its own."""
        lacking = {f"v.d.{door}" for door in DOORS if door not in self.doors}
        return {
            name: value
            for name, value in known.items()
            if name not in lacking and (self.tyres or not name.startswith("v.t."))
        }
