"""i-MiEV, C-ZERO and iOn: no locks but by a script of the box, and words of their own for the charge."""

from typing import Final

from carbox.simulator.profiles.profile import CHARGE_CONTROL, Outcome, Profile

BALANCING_FROM_PERCENT: Final = 95.0
"""Our own figure; the sheet only names the word."""


class CZero(Profile):
    """All doors but the driver's share one bit, there is no bonnet; the charge port reads as charging."""

    vehicle_type = "MI"
    capacity_kwh = 14.5
    range_km = 100.0
    doors = ("fl", "fr", "rl", "rr", "trunk")
    tyres = False
    lacks = (
        Profile.lacks | CHARGE_CONTROL | {"wakeup", "climate"}
    )  # the sheet names no code of it for any of these

    def turn(self, *, locked: bool, pin: str) -> Outcome:
        """The base class asks the box's script, which pulses the relays; without one there is no such command."""
        if not self.config.hook:
            return Outcome.MISSING
        port = self.ports.port_of("lock" if locked else "unlock")
        if port is None or not self.pin_fits(pin):
            return Outcome.FAILED
        self.ports.pulse(port)
        return Outcome.DONE

    def reported(self, known: dict[str, str]) -> dict[str, str]:
        car = self.car
        shared = "yes" if car.open_doors - {"fl", "hood"} else "no"
        own = {f"v.d.{door}": shared for door in self.doors if door != "fl"}
        own["v.d.cp"] = known["v.c.charging"]
        own["v.c.type"] = ("Quickcharge" if car.quick else "Standard") if car.plugged else "None"
        own["v.c.mode"] = self._mode()
        if car.charging and car.quick:
            own["v.b.range.est"] = "0"
        if not car.on:
            known = {name: value for name, value in known.items() if name != "v.b.12v.current"}
        return super().reported(known) | own

    def _mode(self) -> str:
        if self.car.quick:
            return "CHAdeMO"
        full = self.car.charging and self.car.percent >= BALANCING_FROM_PERCENT
        return "Balancing" if full else "Type1"
