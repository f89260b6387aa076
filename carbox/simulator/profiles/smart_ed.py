"""Smart ED (third generation): it locks by relays, and knows the bolts only by what it has commanded."""

from typing import Final

from carbox.simulator.car import Car
from carbox.simulator.config import Config
from carbox.simulator.ports import Ports
from carbox.simulator.profiles.profile import CHARGE_CONTROL, Outcome, Profile

LOOKS_EVERY_S: Final = 10.0
VALET_PORT: Final = 7
VALET_ABOVE_PERCENT: Final = 20.0


class SmartEd(Profile):
    """No PIN; a pulse on port 9 locks, on port 8 unlocks, if a relay is wired there.

    `v.e.locked` follows the command; with a status wire it is looked at every 10 s. Valet mode is the ignition
    relay on port 7 for five minutes. Of the charge it controls the current alone.
    """

    vehicle_type = "SE"
    capacity_kwh = 17.6
    range_km = 130.0
    doors = ("fl", "fr", "trunk")
    tyres = False
    door_s = 0.5
    lacks = Profile.lacks | (CHARGE_CONTROL - {"current"})

    def __init__(self, car: Car, ports: Ports, config: Config) -> None:
        super().__init__(car, ports, config)
        ports.wires |= {8: "unlock", 9: "lock", VALET_PORT: "nothing"}
        self._commanded = car.locked
        self._looks_at = 0.0
        self._valet_until: float | None = None

    def said_locked(self) -> bool:
        now = self.car.clock.now()
        if self.ports.port_of("status") is not None and now >= self._looks_at:
            self._commanded, self._looks_at = self.car.locked, now + LOOKS_EVERY_S
        return self._commanded

    def turn(self, *, locked: bool, pin: str) -> Outcome:
        del pin
        self.ports.pulse(int(self.config.number(f"xse/door{'lock' if locked else 'unlock'}.port")))
        self._commanded = locked
        return Outcome.DONE

    def valet(self, *, on: bool, pin: str) -> Outcome:
        del pin
        if on and self.car.percent <= VALET_ABOVE_PERCENT:
            return Outcome.FAILED
        self.ports.put(VALET_PORT, int(on))
        self.valet_from = (self.car.latitude, self.car.longitude) if on else None
        minutes = self.config.number("xse/egpio_timout")
        self._valet_until = self.car.clock.now() + minutes * 60 if on else None
        return Outcome.DONE

    def elapse(self) -> None:
        if self._valet_until is not None and self.car.clock.now() >= self._valet_until:
            self.valet(on=False, pin="")

    def limit(self, amps: int) -> Outcome:
        return super().limit(amps) if self.config.flag("xse/canwrite") else Outcome.FAILED

    def climate(self, *, on: bool) -> Outcome:
        return super().climate(on=on) if self.car.charging or self.car.awake else Outcome.FAILED
