"""The box without its link: it hears topics and tells topics, by a clock that is handed in."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from carbox.simulator import power
from carbox.simulator.faults import FAULTS, OF_THE_LINK, Fault
from carbox.simulator.profiles.profile import Profile
from carbox.simulator.shell import Shell, masked
from carbox.simulator.telling import Message, Teller

LOOKS_AWAKE_S: Final = 10.0
LOOKS_ASLEEP_S: Final = 60.0
"""How often it looks by itself; what a hand or a command changes it sees at once."""
BOOT_S: Final = 15.0
OFF_AFTER_S: Final = 60.0
"""So long the box bears a 12 V battery that is too low, then it switches itself off; our own figure."""
FAILURES: Final = ("Error", "Unrecognised", "Usage", "Subcommand")
REMEMBERED: Final = 40


class Line(Enum):
    """How the box's network stands: a stalled one keeps its connection, and nothing passes."""

    UP = auto()
    STALLED = auto()
    DOWN = auto()


@dataclass(slots=True)
class Job:
    """A command under way: the box's one network task does nothing else until `due`."""

    due: float
    client: str
    id: str
    payload: str
    fault: Fault
    entry: dict[str, Any]


class Firmware:
    """`hear` and `tick` put things in, `take` gives what it says; `line` is how its network stands.

    After moving the car by hand call `notice`. Nothing here waits or knows of threads.
    """

    def __init__(self, username: str, profile: Profile) -> None:
        self.profile, self.car, self.clock = profile, profile.car, profile.car.clock
        self.shell, self.fault = Shell(profile), Fault()
        self.log: list[dict[str, Any]] = []
        self.recent: deque[str] = deque(maxlen=REMEMBERED)
        """What was heard and said last, in short."""
        self.boots = self.cuts = 0
        """How often it has lost its memory, and its connection, by its own doing."""
        self.prefix = profile.config.prefix(username)
        self.teller = Teller(self.prefix, profile, self.shell)
        self._back_at: float | None = None
        self._low_since: float | None = None
        self._job: Job | None = None
        self._heard: deque[tuple[str, str]] = deque()
        self._late: list[tuple[float, Message]] = []
        self._looked_at = float("-inf")

    # -- the link's side

    @property
    def line(self) -> Line:
        now = self.clock.now()
        off = self._low_since is not None and now - self._low_since > OFF_AFTER_S
        if off or self._back_at is not None or self.fault.kind == "offline":
            return Line.DOWN
        return Line.STALLED if self.fault.stalls(now) or self.car.fix is not None else Line.UP

    def hear(self, topic: str, payload: str) -> None:
        self.recent.append(f"< {topic.removeprefix(self.prefix)} {masked(payload)}")
        self._heard.append((topic, payload))
        self._work()

    def tick(self) -> None:
        """Whatever is due: a boot, a command under way, readings by the interval ladder."""
        now = self.clock.now()
        if self._back_at is not None and now >= self._back_at:
            self._back_at = None
        if self.fault.kind == "stalled" and not self.fault.stalls(now):
            self.set_fault("none")
        self._work()
        if now - self._looked_at >= (LOOKS_AWAKE_S if self.car.awake else LOOKS_ASLEEP_S):
            self.notice()
        if self.teller.online:
            self.teller.tell_due()

    def take(self) -> list[Message]:
        """What is to be sent now."""
        now, out = self.clock.now(), self.teller.out
        if self.teller.online:
            out.extend(message for due, message in self._late if due <= now)
        self._late = [(due, message) for due, message in self._late if due > now]
        if self.line is not Line.UP or not self.teller.online:
            return []
        found = [message.sent(now) for message in out]
        out.clear()
        for message in found:
            topic = message.topic.removeprefix(self.prefix)
            text = "****" if "/config/password/" in topic else message.payload
            self.recent.append(f"> {topic} {text}".strip())
        return found

    # -- the hand's side

    def notice(self) -> None:
        """Bring the car to the present, see what has changed, and tell what is told at once."""
        self._looked_at = self.clock.now()
        self.teller.notice(off=self._back_at is not None)
        if self.car.volts_12 >= power.OFF_12V:
            self._low_since = None
        elif self._low_since is None:
            self._low_since = self._looked_at

    def set_fault(self, kind: str, seconds: float = 0.0, times: int = -1) -> None:
        """`seconds` of the box. Raises ValueError."""
        if kind not in FAULTS:
            raise ValueError(f"faults are {', '.join(FAULTS)}")
        if kind == "reconnect":
            self.cuts += 1
            kind = "none"
        self.fault = Fault(kind, seconds, times, self.clock.now())
        self.shell.refuse = kind == "refuse"

    def reboot(self, seconds: float = BOOT_S, *, stale: bool = True) -> None:
        """The box dies at once and is back after so many seconds; what was in its memory is gone.

        `stale`: it then tells what it had kept, until the car stirs.
        """
        self._back_at = self.clock.now() + seconds
        self.boots += 1
        self.teller.rebooted(back_at=self._back_at, stale=stale)
        self._job = None
        self._heard.clear()
        self._late.clear()

    def enter_garage(self, *, inside: bool) -> None:
        """No satellites and no network; outside again it makes a new connection, the old one being dead."""
        car = self.car
        if inside and car.fix is None:
            car.fix = (car.latitude, car.longitude)
        elif not inside and car.fix is not None:
            car.fix = None
            self.cuts += 1

    # -- what it hears

    def _work(self) -> None:
        """One thing after the other: what is under way goes on, a stalled line brings nothing new."""
        while self._back_at is None:
            if self._job is not None:
                if self.clock.now() < self._job.due:
                    return
                job, self._job = self._job, None
                self._execute(job)
            elif self._heard and self.line is not Line.STALLED:
                self._obey(*self._heard.popleft())
            else:
                return

    def _obey(self, topic: str, payload: str) -> None:
        if self.fault.kind == "silent":
            return
        client, *what = topic.removeprefix(f"{self.prefix}client/").split("/")
        if what[0] == "command" and self.fault.kind == "stalls":
            self.set_fault("stalled", self.fault.seconds)
            self._heard.appendleft((topic, payload))
        elif what[0] == "command":
            self._begin(client, what[1], payload)
        elif what == ["request", "metric"]:
            self.teller.asked(payload)
        elif what == ["request", "config"] and payload in self.profile.config:
            topic = f"client/{client}/config/{payload.replace('.', '/')}"
            self.teller.say(topic, self.profile.config[payload])
        elif what == ["active"]:
            self.teller.announced(client, payload)

    def _begin(self, client: str, command: str, payload: str) -> None:
        entry: dict[str, Any] = {"at": self.clock.outside(), "id": command, "executed": 0, "answer": None}
        entry["done_at"] = None
        entry["line"] = masked(payload)
        self.log.append(entry)
        fault = self._befallen()
        if fault.kind == "mute":
            return
        busy = self.shell.seconds(payload) + (fault.seconds if fault.kind == "slow" else 0.0)
        self._job = Job(self.clock.now() + busy, client, command, payload, fault, entry)

    def _execute(self, job: Job) -> None:
        kind = job.fault.kind
        answers = []
        for _time in range(2 if kind == "executes_twice" else 1):
            answers.append(self.shell.run(job.payload))
            job.entry["executed"] += not answers[-1].startswith(FAILURES)
        job.entry["done_at"] = self.clock.outside()
        if kind == "crash":
            self.reboot(job.fault.seconds)
            return
        if answers[-1].startswith("Server V3"):
            self.teller.update(everything="all" in job.payload.split())
        self.cuts += kind == "cut"
        if kind not in {"answer_lost", "cut"}:
            job.entry["answer"] = answers[-1].strip()
            self._answer(job, answers * (2 if kind == "answers_twice" else 1))
        self.notice()

    def _answer(self, job: Job, answers: list[str]) -> None:
        topic = f"client/{job.client}/response/{job.id}"
        for text in answers:
            if job.fault.kind == "late":
                message = Message(f"{self.prefix}{topic}", text, qos=1)
                self._late.append((self.clock.now() + job.fault.seconds, message))
            else:
                self.teller.say(topic, text, qos=1)

    def _befallen(self) -> Fault:
        """The fault of the command that has just come."""
        fault = self.fault
        if fault.kind in OF_THE_LINK:
            return Fault()
        if fault.times == 0:
            self.set_fault("none")
            return self.fault
        if fault.times > 0:
            fault.times -= 1
        return fault
