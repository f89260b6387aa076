"""The only command lines that ever go to a box, and what its answers mean.

The command channel is an administrator's shell without exit codes: answers are told apart by their words.
"""

import re
from typing import Final

from carbox.box import (
    LOCK_NAMES,
    UNLOCK_NAMES,
    AnswerKind,
    BadCommand,
    BoxState,
    Command,
    CommandKind,
    DoorHow,
    DoorWiring,
    Evidence,
    Pulse,
)

PIN: Final = re.compile(r"[0-9A-Za-z]{4,16}")
COMMAND_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
TOPIC_LEVEL: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
LONGEST_LINE: Final = 800
MAX_PORT: Final = 9
MAX_PULSE_MS: Final = 10_000
AMPS: Final = range(6, 81)

_FIXED: Final = {
    CommandKind.WAKEUP: "wakeup",
    CommandKind.CHARGE_START: "charge start",
    CommandKind.CHARGE_STOP: "charge stop",
}
_SUCCESS: Final = re.compile(
    r"Vehicle (locked|unlocked|has been woken|valet mode (de)?activated)"
    r"|Charge has been (started|stopped)"
    r"|Charge current limit set to \d+A"
    r"|EGPIO port \d set back to base level [01]"
)
_FAILURE: Final = ("error:", "unrecognised command", "usage:", "subcommand required")


def command_line(command: Command, wiring: DoorWiring) -> str:
    """The shell line for a command of this car. Raises BadCommand."""
    line = _line(command, wiring)
    if "\r" in line or "\n" in line or len(line) > LONGEST_LINE:
        raise BadCommand("a command is one short line")
    return line


def _line(command: Command, wiring: DoorWiring) -> str:
    kind = command.kind
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in {CommandKind.UNLOCK, CommandKind.LOCK}:
        if wiring.how is DoorHow.EGPIO_PULSE:
            return _pulse(wiring.unlock if kind is CommandKind.UNLOCK else wiring.lock)
        return f"{kind.value} {_pin(wiring)}"
    if kind is CommandKind.VALET:
        return f"{'valet' if _on(command) else 'unvalet'} {_pin(wiring)}"
    if kind is CommandKind.CLIMATE:
        return f"climatecontrol {'on' if _on(command) else 'off'}"
    if kind is CommandKind.CHARGE_LIMIT:
        if command.amps not in AMPS:
            raise BadCommand(f"amps must lie in {AMPS.start}..{AMPS.stop - 1}")
        return f"charge current {command.amps:d}"
    raise BadCommand(f"{kind} is no line")


def _pin(wiring: DoorWiring) -> str:
    if wiring.pin is None or not PIN.fullmatch(wiring.pin):
        raise BadCommand("the PIN must be 4 to 16 letters or digits")
    return wiring.pin


def _on(command: Command) -> bool:
    if command.on is None:
        raise BadCommand(f"{command.kind} needs on or off")
    return command.on


def _pulse(pulse: Pulse | None) -> str:
    if pulse is None:
        raise BadCommand("no relay is wired for this")
    in_range = 0 <= pulse.port <= MAX_PORT and pulse.level in {0, 1} and 1 <= pulse.ms <= MAX_PULSE_MS
    if not in_range:
        raise BadCommand("a relay needs port 0..9, level 0 or 1 and 1..10000 ms")
    return f"egpio pulse {pulse.port:d} {pulse.level:d} {pulse.ms:d}"


def classified(text: str) -> AnswerKind:
    """What an answer says: CONFIRMED, REFUSED, or SILENT for words we do not know."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.lower().startswith(_FAILURE) for line in lines):
        return AnswerKind.REFUSED
    if lines and _SUCCESS.fullmatch(lines[-1].rstrip(".")):
        return AnswerKind.CONFIRMED
    return AnswerKind.SILENT


def masked(text: str, wiring: DoorWiring | None) -> str:
    """Text without the PIN, and short enough to keep."""
    if wiring is not None and wiring.pin:
        text = text.replace(wiring.pin, "****")
    return text.strip()[:LONGEST_LINE]


def goal(command: Command) -> tuple[str, bool] | None:
    """The reading that shows that a command took effect, and its value then."""
    return {
        CommandKind.UNLOCK: ("locked", False),
        CommandKind.LOCK: ("locked", True),
        CommandKind.CHARGE_START: ("charging", True),
        CommandKind.CHARGE_STOP: ("charging", False),
        CommandKind.WAKEUP: ("awake", True),
        CommandKind.VALET: ("valet", bool(command.on)),
    }.get(command.kind)


def observed(command: Command) -> tuple[str, ...]:
    """What to ask the car after this command."""
    if command.kind is CommandKind.LOCK:
        return LOCK_NAMES
    if command.kind is CommandKind.UNLOCK:
        return UNLOCK_NAMES
    aim = goal(command)
    return (aim[0],) if aim else ("charging",)


def judged(command: Command, wiring: DoorWiring, state: BoxState) -> tuple[bool | None, Evidence]:
    """Whether readings asked for after the answer show the effect, and how far to believe them."""
    aim = goal(command)
    seen = state.flag(aim[0]) if aim else None
    if aim is None or seen is None:
        return None, Evidence.NONE
    weak = wiring.optimistic_lock and aim[0] == "locked"
    return seen == aim[1], Evidence.WEAK if weak else Evidence.STRONG
