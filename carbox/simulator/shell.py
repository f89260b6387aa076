"""The box's shell: one line in, the firmware's words out. It obeys whoever reaches it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from carbox.simulator.metrics import metrics
from carbox.simulator.ports import PORTS
from carbox.simulator.profiles.profile import Outcome, Profile

LONGEST: Final = 800
MOST_WORDS: Final = 128
LONGEST_PULSE_MS: Final = 10_000
COMMANDS: Final = (
    "charge",
    "climatecontrol",
    "config",
    "egpio",
    "homelink",
    "lock",
    "server",
    "stat",
    "unlock",
    "unvalet",
    "valet",
    "wakeup",
)
OF_THE_BOX: Final = ("config", "egpio", "server")
"""Commands that need no car."""
WITH_PIN: Final = frozenset({"lock", "unlock", "valet", "unvalet"})
EGPIO: Final = {"pulse": 4, "output": 3, "input": 2, "monitor": 3}
"""Subcommand -> how many words it makes."""
ANSWERS: Final = {
    "lock": ("Vehicle locked", "vehicle could not be locked", "Vehicle lock"),
    "unlock": ("Vehicle unlocked", "vehicle could not be unlocked", "Vehicle unlock"),
    "valet": ("Vehicle valet mode activated", "vehicle could not activate valet mode", "Vehicle valet"),
    "unvalet": ("Vehicle valet mode deactivated", "vehicle could not deactivate valet mode", "Vehicle valet"),
    "wakeup": ("Vehicle has been woken", "vehicle could not be woken", "Vehicle wake"),
    "homelink": ("Homelink #{0} activated", "Could not activate homelink #{0}", "Homelink"),
    "start": ("Charge has been started", "Could not start charge", "Charge start"),
    "stop": ("Charge has been stopped", "Could not stop charge", "Charge stop"),
    "current": (
        "Charge current limit set to {0}A",
        "Could not set charge current limit to {0}A",
        "Charge current limit",
    ),
    "mode": ("Charge mode '{0}' set", "Could not set charge mode", "Charge mode"),
    "climate": ("Climate Control {0}", "Climate Control {0} failed", "Climate Control"),
}
"""Words when done, words when not, and whose functionality is not available."""


def full_word(word: str, choices: Iterable[str]) -> str | None:
    """The one choice that the word is or begins."""
    fitting = [choice for choice in choices if choice.startswith(word)]
    return word if word in fitting else fitting[0] if len(fitting) == 1 else None


def lines_of(payload: str) -> list[list[str]]:
    """A newline separates commands."""
    lines = payload[:LONGEST].replace("\r", "\n").split("\n")
    return [line.split()[:MOST_WORDS] for line in lines if line.strip()]


def masked(payload: str) -> str:
    """The payload without a PIN or password."""
    return "\n".join(" ".join(_masked(words)) for words in lines_of(payload))


def _masked(words: list[str]) -> list[str]:
    shown = 1 if full_word(words[0], COMMANDS) in WITH_PIN else len(words)
    if "password" in words:
        shown = words.index("password") + 1
    return words[:shown] + ["****"] * len(words[shown:])


@dataclass(slots=True)
class Shell:
    """Runs lines against a car; `refuse`: whatever it is told, the car does not do."""

    profile: Profile
    refuse: bool = False

    def run(self, payload: str) -> str:
        return "".join(f"{self._one(words)}\n" for words in lines_of(payload))

    def seconds(self, payload: str) -> float:
        """How long the box is busy with it."""
        return sum(map(self._seconds_of, lines_of(payload)))

    def _seconds_of(self, words: list[str]) -> float:
        name = full_word(words[0], COMMANDS)
        if name in {"lock", "unlock"}:
            return self.profile.door_s
        if name == "climatecontrol":
            return self.profile.climate_s
        pulses = name == "egpio" and len(words) == 1 + EGPIO["pulse"] and words[-1].isdecimal()
        return min(int(words[-1]), LONGEST_PULSE_MS) / 1000 if pulses else 0.0

    def _one(self, words: list[str]) -> str:
        name = full_word(words[0], COMMANDS)
        if name is None:
            return "Unrecognised command"
        if not self.profile.selected and name not in OF_THE_BOX:
            return "Error: No vehicle module selected"
        run: Callable[[list[str]], str] = getattr(self, f"_{name}")
        return run(words[1:])

    def _said(self, what: str, do: Callable[[], Outcome], value: str = "") -> str:
        """Do it, unless it refuses, and say what came of it."""
        done, failed, missing = ANSWERS[what]
        if self.refuse:
            outcome = Outcome.FAILED
        else:
            outcome = Outcome.MISSING if what in self.profile.lacks else do()
        if outcome is Outcome.MISSING:
            return f"Error: {missing} functionality not available"
        return done.format(value) if outcome is Outcome.DONE else f"Error: {failed.format(value)}"

    def _lock(self, words: list[str]) -> str:
        return self._doors(words, "lock")

    def _unlock(self, words: list[str]) -> str:
        return self._doors(words, "unlock")

    def _doors(self, words: list[str], verb: str) -> str:
        if len(words) != 1:
            return f"Usage: {verb} <pin>"
        return self._said(verb, lambda: self.profile.turn(locked=verb == "lock", pin=words[0]))

    def _valet(self, words: list[str]) -> str:
        return self._set_valet(words, "valet")

    def _unvalet(self, words: list[str]) -> str:
        return self._set_valet(words, "unvalet")

    def _set_valet(self, words: list[str], verb: str) -> str:
        if len(words) != 1:
            return f"Usage: {verb} <pin>"
        return self._said(verb, lambda: self.profile.valet(on=verb == "valet", pin=words[0]))

    def _wakeup(self, _words: list[str]) -> str:
        return self._said("wakeup", self.profile.wake)

    def _homelink(self, words: list[str]) -> str:
        number, *length = words or [""]
        fits = number in {"1", "2", "3"} and (not length or (length[0].isdecimal() and int(length[0]) >= 100))
        if not fits:
            return "Usage: homelink <homelink> [<durationms>]"
        return self._said("homelink", lambda: self.profile.homelink(int(number)), number)

    def _charge(self, words: list[str]) -> str:
        sub = full_word(words[0], ("start", "stop", "current", "mode")) if words else None
        if sub is None:
            return "Unrecognised command" if words else "Subcommand required"
        if sub in {"start", "stop"}:
            return self._said(sub, lambda: self.profile.charge(start=sub == "start"))
        if len(words) != 2:
            return f"Usage: charge {sub} <{sub}>"
        value = words[1]
        if sub == "mode":
            return self._said(sub, lambda: self.profile.charge_mode(value), value)
        return self._said(
            sub, lambda: self.profile.limit(int(value)) if value.isdecimal() else Outcome.FAILED, value
        )

    def _climatecontrol(self, words: list[str]) -> str:
        how = full_word(words[0], ("on", "off")) if len(words) == 1 else None
        if how is None:
            return "Subcommand required"
        return self._said("climate", lambda: self.profile.climate(on=how == "on"), how)

    def _egpio(self, words: list[str]) -> str:
        sub = full_word(words[0], EGPIO) if words else None
        if sub is None or len(words) != EGPIO[sub]:
            return "Subcommand required" if not words else f"Usage: egpio {sub or words[0]}"
        if sub == "monitor":
            return self._monitor(words[1], words[2])
        if len(words[1]) != 1 or not words[1].isdecimal():
            return "Error: Port should be in range 0..9"
        port, ports = int(words[1]), self.profile.ports
        if sub == "input":
            ports.seen[port] = ports.level(port)
            return f"EGPIO port {port} has input level {ports.seen[port]}"
        if words[2] not in {"0", "1"} or self.refuse:
            return "Error: Level should be 0 or 1"
        if sub == "output":
            ports.put(port, int(words[2]))
            return f"EGPIO port {port} set to output level {words[2]}"
        ports.pulse(port)
        return (
            f"EGPIO port {port} set to output level {words[2]}\nEGPIO port {port} pulse {words[3]} ms\n"
            f"EGPIO port {port} set back to base level {1 - int(words[2])}"
        )

    def _monitor(self, how: str, port: str) -> str:
        if how not in {"on", "off"} or not port.isdecimal() or int(port) not in PORTS:
            return "Usage: egpio monitor on|off <port>"
        watched = self.profile.ports.monitored
        (watched.add if how == "on" else watched.discard)(int(port))
        return f"EGPIO port {port} monitoring {how}"

    def _config(self, words: list[str]) -> str:
        """`config set <param> <instance> <value>`."""
        if len(words) < 4 or words[0] != "set":
            return "Usage: config set <param> <instance> <value>"
        self.profile.config[f"{words[1]}/{words[2]}"] = " ".join(words[3:])
        return "Parameter has been set."

    def _server(self, words: list[str]) -> str:
        """`server v3 update all|modified|priority`; the box sends them, these words only say so."""
        if words[:2] != ["v3", "update"]:
            return "Subcommand required"
        return "Server V3 data update has been scheduled"

    def _stat(self, _words: list[str]) -> str:
        car, known = self.profile.car, metrics(self.profile)
        lines = ["Not charging"]
        if car.charging:
            full = int(known["v.c.duration.full"])
            lines = [
                f"{known['v.c.mode'][0].upper()}{known['v.c.mode'][1:]} - Charging",
                f"{known['v.c.voltage']}V/{float(known['v.c.current']):.0f}A",
                f"Full: {full // 60}:{full % 60:02d}h",
                f"Charged: {car.charged_kwh:.1f}kWh",
            ]
        lines += [
            f"SOC: {car.percent:.1f}%",
            f"Ideal range: {float(known['v.b.range.ideal']):.0f}km",
            f"Est. range: {float(known['v.b.range.est']):.0f}km",
            f"ODO: {car.odometer_km:.1f}km",
            f"SOH: {known['v.b.soh']}%",
        ]
        return "\n".join(lines)
