"""What the app knows of a car box: commands, readings, answers, errors and the door itself.

Errors::

    BoxFault                 may_have_acted  temporary
      BadCommand             no              no         PIN, CR or LF, wiring or number is wrong; not sent
      BoxUnreachable         no              yes        the box did not answer when asked: nothing was sent
      BrokerDown             no              yes        no connection to the broker: nothing was sent
      BoxSilent              yes             no         sent, and no answer came: never repeat it by itself
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, Protocol

from carbox.readings import DOOR_NAMES, LOCK_NAMES, UNLOCK_NAMES, BoxState, Reading, Value

__all__ = [
    "ALIVE_WITHIN_S",
    "ANSWER_WITHIN_S",
    "DOOR_NAMES",
    "FRESH_FOR_S",
    "LOCK_NAMES",
    "SEND_EXPIRY_S",
    "UNLOCK_NAMES",
    "Answer",
    "AnswerKind",
    "BadCommand",
    "Box",
    "BoxAddress",
    "BoxFault",
    "BoxListener",
    "BoxSilent",
    "BoxState",
    "BoxUnreachable",
    "BrokerDown",
    "Capabilities",
    "CarBox",
    "Command",
    "CommandKind",
    "DoorHow",
    "DoorWiring",
    "Evidence",
    "KeySensor",
    "Pulse",
    "Reading",
    "Value",
]

FRESH_FOR_S: Final = 5.0
"""A door command leaves only if the box answered something asked at most this long ago."""
ALIVE_WITHIN_S: Final = 3.0
"""How long the box may take to show that it is there."""
SEND_EXPIRY_S: Final = 10
"""The broker drops a command that it could not deliver within this time."""
ANSWER_WITHIN_S: Final = 15.0
"""A command without an answer for so long is unknown."""


class BoxFault(Exception):
    """Something between us and the car failed."""

    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False


class BadCommand(BoxFault):
    """The command cannot be written as a line that is safe to send; nothing was sent."""


class BoxUnreachable(BoxFault):
    """The box did not answer when asked; nothing was sent."""

    temporary = True


class BrokerDown(BoxFault):
    """There is no connection to the broker; nothing was sent."""

    temporary = True


class BoxSilent(BoxFault):
    """The command was sent and no answer came: the car may or may not have obeyed."""

    may_have_acted = True


class CommandKind(StrEnum):
    UNLOCK = "unlock"
    LOCK = "lock"
    WAKEUP = "wakeup"
    CHARGE_START = "charge_start"
    CHARGE_STOP = "charge_stop"
    CHARGE_LIMIT = "charge_limit"
    CLIMATE = "climate"
    VALET = "valet"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to ask of a car: `amps` belongs to CHARGE_LIMIT, `on` to CLIMATE and VALET."""

    kind: CommandKind
    amps: int | None = None
    on: bool | None = None


class DoorHow(StrEnum):
    NATIVE = "native"
    EGPIO_PULSE = "egpio_pulse"


@dataclass(frozen=True, slots=True)
class BoxAddress:
    """Where a box speaks: everything of it lies under `ovms/<username>/<vehicle>/`."""

    username: str
    vehicle: str

    @property
    def prefix(self) -> str:
        return f"ovms/{self.username}/{self.vehicle}/"


@dataclass(frozen=True, slots=True)
class Pulse:
    """A relay of the box: port 0-9, level 0 or 1 while pulsed, length in ms."""

    port: int
    level: int = 1
    ms: int = 500


@dataclass(frozen=True, slots=True)
class KeySensor:
    """A switch in the glove box: the input reads `present_level` while the keys lie there."""

    port: int
    present_level: int = 1


@dataclass(frozen=True, slots=True)
class DoorWiring:
    """How this car's doors are opened, and how far its lock reading can be believed.

    `optimistic_lock`: the car reports `locked` because it was told to, not because it looked.
    """

    how: DoorHow = DoorHow.NATIVE
    pin: str | None = field(default=None, repr=False)
    unlock: Pulse | None = None
    lock: Pulse | None = None
    key_sensor: KeySensor | None = None
    optimistic_lock: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be offered for a car; data per car, never assumed."""

    unlock: bool = False
    lock: bool = False
    immobiliser: bool = False
    key_sensor: bool = False
    charge_control: bool = False
    position: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """One box as the caller knows it: its address and the wiring of the car it sits in."""

    address: BoxAddress
    wiring: DoorWiring = field(default_factory=DoorWiring)


class AnswerKind(StrEnum):
    CONFIRMED = "confirmed"
    """The box said that it was done."""
    REFUSED = "refused"
    """The box said that it was not done."""
    SILENT = "silent"
    """No answer, or words we do not know; see `dead` and `effect`."""
    LOST = "lost"
    """The box's connection ended after the command was sent, before an answer."""


class Evidence(StrEnum):
    STRONG = "strong"
    """A reading asked for after the answer, of a lock that the car looks at."""
    WEAK = "weak"
    """A reading asked for after the answer, of a lock reading that may only echo the command."""
    NONE = "none"
    """No reading came after the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one command.

    `effect`: True = the readings show that it was done, False = that it was not, None = unknown; how far to
    believe that is `evidence`. `dead`: the command cannot be carried out any later, because the box answered
    it or something sent after it, or its connection ended. `sent` is the line that went out, `text` what came
    back, both with the PIN masked. `state` holds only readings asked for after the answer.
    """

    kind: AnswerKind
    evidence: Evidence = Evidence.NONE
    effect: bool | None = None
    dead: bool = False
    sent: str = ""
    text: str = ""
    answered_at: datetime | None = None
    state: BoxState = field(default_factory=BoxState)

    def heard(self) -> "Answer":
        """Itself when the box said yes or no, else raises BoxSilent."""
        if self.kind in {AnswerKind.SILENT, AnswerKind.LOST}:
            raise BoxSilent(f"{self.kind} after {self.sent!r}")
        return self


class BoxListener(Protocol):
    """Who is told what boxes do by themselves. Called from the door's own threads: be quick, never raise."""

    def on_reading(self, box: BoxAddress, delta: BoxState) -> None:
        """Readings just arrived; retained ones too, see `Reading.at`."""

    def on_connection(self, box: BoxAddress, *, up: bool) -> None:
        """The broker saw this box come or go."""

    def on_late_answer(self, box: BoxAddress, command_id: str, answer: Answer) -> None:
        """A box answered a command whose sender no longer waits, perhaps of an earlier process."""

    def on_event(self, box: BoxAddress, name: str, text: str) -> None:
        """An event (`vehicle.unlocked`, text empty) or a notification (`alert.batt.12v.alert`, its text)."""


class CarBox(Protocol):
    """The door. Calls block and may be made from many threads at once."""

    def start(self) -> None:
        """Connect, and stay connected, in threads of its own."""

    def stop(self) -> None:
        """Disconnect; whoever waits gets a silent answer."""

    @property
    def up(self) -> bool:
        """Connected to the broker."""

    def watch(self, box: Box) -> None:
        """Hear this box from now on, with the key sensor of its wiring. Raises BadCommand for a name that is none."""

    def forget(self, address: BoxAddress) -> None:
        """Hear this box no longer, and drop all that is known of it."""

    def alive(self, box: Box, within_s: float = ALIVE_WITHIN_S) -> bool:
        """Whether the box answered a request made now, or at most FRESH_FOR_S ago on this connection.

        Raises BrokerDown.
        """

    def send(
        self,
        box: Box,
        command: Command,
        *,
        command_id: str,
        wait_s: float = ANSWER_WITHIN_S,
        expiry_s: int = SEND_EXPIRY_S,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """Send once, wait for the answer, then ask the car what is true. Never repeats the command.

        `on_sent` is called right after publishing, so that the caller may let go of what it held until then.

        Asks the box for a sign of life first unless there is one (at most ALIVE_WITHIN_S), and afterwards for
        readings (at most ALIVE_WITHIN_S). Raises BadCommand, BrokerDown, BoxUnreachable: nothing was sent.
        """

    def fresh(self, box: Box, names: tuple[str, ...], within_s: float = ALIVE_WITHIN_S) -> BoxState:
        """Ask for these readings now; only what arrived after asking. Raises BrokerDown."""

    def ask(self, box: Box, names: tuple[str, ...]) -> None:
        """Ask for these readings without waiting: they come to the listener. Raises BrokerDown."""

    def state(self, box: Box) -> BoxState:
        """All that is known of the box, of whatever age."""

    def announce(self, box: Box, *, present: bool) -> None:
        """Tell the box that somebody stands at the car (repeat each 60 s) so that it reports more often."""
