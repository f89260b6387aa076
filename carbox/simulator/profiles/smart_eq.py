"""Smart EQ (453): it locks if it may write to the car's network, and believes itself."""

from typing import Final

from carbox.simulator.car import Car
from carbox.simulator.config import Config
from carbox.simulator.ports import Ports
from carbox.simulator.profiles.profile import CHARGE_CONTROL, Outcome, Profile

COOL_DOWN_S: Final = 10.0
CLIMATE_FROM_PERCENT: Final = 31.0


class SmartEq(Profile):
    """No PIN, 10 s between door commands, no charge control, climate on only.

    A lock command forces `v.e.locked` to yes until a door opens or an unlock command: no proof of anything.
    """

    vehicle_type = "SQ"
    capacity_kwh = 17.6
    range_km = 130.0
    doors = ("fl", "fr", "rl", "rr", "trunk")
    climate_minutes = 5.0
    door_s = 2.0  # wakes the car's network, then six frames 200 ms apart
    climate_s = 15.0
    lacks = Profile.lacks | CHARGE_CONTROL | {"valet", "unvalet"}

    def __init__(self, car: Car, ports: Ports, config: Config) -> None:
        super().__init__(car, ports, config)
        self._commanded_at = float("-inf")
        self._forced_with: int | None = None
        """How often a door had been opened when a lock command forced the reading."""

    def said_locked(self) -> bool:
        if self._forced_with != self.car.doors_opened:
            self._forced_with = None
        return self._forced_with is not None or self.car.told_locked()

    def turn(self, *, locked: bool, pin: str) -> Outcome:
        del pin
        now = self.car.clock.now()
        if not self.config.flag("xsq/canwrite") or now - self._commanded_at < COOL_DOWN_S:
            return Outcome.FAILED
        self._commanded_at = now
        self._forced_with = self.car.doors_opened if locked else None
        self.car.turn_lock(locked=locked)
        return Outcome.DONE

    def climate(self, *, on: bool) -> Outcome:
        if not on:
            return Outcome.MISSING
        return super().climate(on=True) if self.car.percent >= CLIMATE_FROM_PERCENT else Outcome.FAILED

    def reported(self, known: dict[str, str]) -> dict[str, str]:
        own = {"xsq.bms.contactor.cycles": str(self.car.contactor_cycles), "v.c.mode": "standard"}
        known = {name: value for name, value in known.items() if name != "v.e.valet"}
        return super().reported(known) | own
