"""The box's shell: one line in, the firmware's words out. It obeys whoever reaches it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from carbox.simulator.car import Car

LONGEST: Final = 800
MOST_WORDS: Final = 128
COMMANDS: Final = (
    "charge",
    "climatecontrol",
    "egpio",
    "homelink",
    "lock",
    "stat",
    "unlock",
    "unvalet",
    "valet",
    "wakeup",
)
MODES: Final = ("standard", "storage", "range", "performance")


def full_word(word: str, choices: Iterable[str]) -> str | None:
    """The one choice that the word is or begins."""
    fitting = [choice for choice in choices if choice.startswith(word)]
    return word if word in fitting else fitting[0] if len(fitting) == 1 else None


def masked(line: str) -> str:
    """The line without its PIN."""
    words = line.split()
    takes_pin = words and full_word(words[0], COMMANDS) in {"lock", "unlock", "valet", "unvalet"}
    return " ".join([words[0], *("****" for _ in words[1:])]) if takes_pin else " ".join(words)


@dataclass(slots=True)
class Shell:
    """Runs lines against a car. `pin` None = none is set; `pace` shortens all waiting."""

    car: Car
    pin: str | None
    pace: float = 1.0
    refuse: bool = False
    last_door_at: float = field(default=float("-inf"))

    def run(self, payload: str) -> str:
        """The answer to a payload; a newline separates commands."""
        lines = [line for line in payload[:LONGEST].replace("\r", "\n").split("\n") if line.strip()]
        return "".join(f"{self._one(line.split()[:MOST_WORDS])}\n" for line in lines)

    def _one(self, words: list[str]) -> str:
        name = full_word(words[0], COMMANDS)
        if name is None:
            return "Unrecognised command"
        run: Callable[[list[str]], str] = getattr(self, f"_{name}")
        return run(words[1:])

    def _lock(self, words: list[str]) -> str:
        return self._doors(words, "lock", locked=True)

    def _unlock(self, words: list[str]) -> str:
        return self._doors(words, "unlock", locked=False)

    def _doors(self, words: list[str], verb: str, *, locked: bool) -> str:
        if len(words) != 1:
            return f"Usage: {verb} <pin>"
        if not self.car.profile.native_doors:
            return f"Error: Vehicle {verb} functionality not available"
        now = time.monotonic()
        cooling = now - self.last_door_at < self.car.profile.cool_down_s * self.pace
        if self.refuse or cooling or not self._pin_fits(words[0]):
            return f"Error: vehicle could not be {verb}ed"
        self.last_door_at = now
        self.car.turn_lock(locked=locked)
        return f"Vehicle {verb}ed"

    def _pin_fits(self, pin: str) -> bool:
        return not self.car.profile.checks_pin or (self.pin is not None and pin == self.pin)

    def _valet(self, words: list[str]) -> str:
        return self._set_valet(words, on=True)

    def _unvalet(self, words: list[str]) -> str:
        return self._set_valet(words, on=False)

    def _set_valet(self, words: list[str], *, on: bool) -> str:
        if len(words) != 1:
            return f"Usage: {'valet' if on else 'unvalet'} <pin>"
        if not self.car.profile.valet:
            return "Error: Vehicle valet functionality not available"
        word = "activate" if on else "deactivate"
        if self.refuse or not self._pin_fits(words[0]):
            return f"Error: vehicle could not {word} valet mode"
        self.car.valet = on
        return f"Vehicle valet mode {word}d"

    def _wakeup(self, _words: list[str]) -> str:
        if self.refuse:
            return "Error: vehicle could not be woken"
        self.car.wake()
        return "Vehicle has been woken"

    def _homelink(self, words: list[str]) -> str:
        if not words or words[0] not in {"1", "2", "3"}:
            return "Usage: homelink <homelink> [<durationms>]"
        return "Error: Homelink functionality not available"

    def _charge(self, words: list[str]) -> str:
        sub = full_word(words[0], ("start", "stop", "current", "mode")) if words else None
        if sub is None:
            return "Unrecognised command" if words else "Subcommand required"
        what = {"start": "start", "stop": "stop", "current": "current limit", "mode": "mode"}[sub]
        if not self.car.profile.charge_control:
            return f"Error: Charge {what} functionality not available"
        if sub in {"start", "stop"}:
            return self._switch_charge(start=sub == "start")
        if len(words) != 2:
            return f"Usage: charge {sub} <{sub}>"
        if sub == "mode":
            fits = words[1] in MODES and not self.refuse
            return f"Charge mode '{words[1]}' set" if fits else "Error: Could not set charge mode"
        if self.refuse or not words[1].isdigit():
            return f"Error: Could not set charge current limit to {words[1]}A"
        self.car.charge_limit_a = int(words[1])
        return f"Charge current limit set to {words[1]}A"

    def _switch_charge(self, *, start: bool) -> str:
        if self.refuse or not self.car.plugged:
            return f"Error: Could not {'start' if start else 'stop'} charge"
        self.car.charge(start=start)
        return f"Charge has been {'started' if start else 'stopped'}"

    def _climatecontrol(self, words: list[str]) -> str:
        if words not in (["on"], ["off"]):
            return "Subcommand required"
        if not self.car.profile.climate or self.refuse:
            return "Error: Climate Control functionality not available"
        self.car.climate = words == ["on"]
        return f"Climate Control {words[0]}"

    def _egpio(self, words: list[str]) -> str:
        sub = full_word(words[0], ("pulse", "output", "input", "monitor")) if words else None
        wanted = {"pulse": 4, "output": 3, "input": 2, "monitor": 3}
        if sub is None or len(words) != wanted[sub]:
            return "Subcommand required" if not words else f"Usage: egpio {sub or words[0]}"
        if sub == "monitor":
            return "EGPIO monitor set"
        if len(words[1]) != 1 or not words[1].isdigit():
            return "Error: Port should be in range 0..9"
        if sub != "input" and words[2] not in {"0", "1"}:
            return "Error: Level should be 0 or 1"
        return getattr(self, f"_egpio_{sub}")(int(words[1]), words)  # type: ignore[no-any-return]

    def _egpio_pulse(self, port: int, words: list[str]) -> str:
        level = int(words[2])
        time.sleep(min(int(words[3]), 10_000) / 1000 * self.pace)
        if self.refuse:
            return "Error: Level should be 0 or 1"
        self.car.pulse(port)
        return (
            f"EGPIO port {port} set to output level {level}\nEGPIO port {port} pulse {words[3]} ms\n"
            f"EGPIO port {port} set back to base level {1 - level}"
        )

    def _egpio_output(self, port: int, words: list[str]) -> str:
        self.car.set_output(port, int(words[2]))
        return f"EGPIO port {port} set to output level {words[2]}"

    def _egpio_input(self, port: int, _words: list[str]) -> str:
        return f"EGPIO port {port} has input level {self.car.input_level(port)}"

    def _stat(self, _words: list[str]) -> str:
        car = self.car
        km = car.profile.range_km * car.percent / 100
        first = "Standard - Charging" if car.charging else "Not charging"
        return (
            f"{first}\nSOC: {car.percent:.1f}%\nIdeal range: {km * 1.2:.0f}km\nEst. range: {km:.0f}km\n"
            f"ODO: {car.odometer_km:.1f}km\nSOH: 93%"
        )
