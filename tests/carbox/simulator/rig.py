"""A box without a broker, in a car whose clock is moved by hand."""

from dataclasses import dataclass, field
from typing import Any

from carbox.simulator import verbs
from carbox.simulator.box import BoxSettings, firmware
from carbox.simulator.firmware import Firmware, Line
from carbox.simulator.telling import Message

BEGAN = 1_790_000_000.0
PREFIX = "ovms/box1/CAR/"


@dataclass
class HandClock:
    """Stands still until it is moved."""

    seconds: float = BEGAN
    pace: float = 1.0

    def now(self) -> float:
        return self.seconds

    def outside(self) -> float:
        return self.seconds


@dataclass
class Bench:
    """What a broker would pass on, and the hand that moves the car; `told` is what came since it was last asked."""

    box: Firmware
    clock: HandClock
    commands: int = 0
    retained: dict[str, str] = field(default_factory=dict)
    connects: int = 0
    _ends: tuple[int, int] = (0, 0)

    def told(self) -> list[Message]:
        """What the box has said, as topics after the prefix. It is connected as soon as its line allows."""
        self.box.tick()
        ends = (self.box.boots, self.box.cuts)
        if self.box.line is Line.DOWN or self._ends != ends:
            self.box.teller.disconnected()
            self._ends = ends
        if self.box.line is Line.UP and not self.box.teller.online:
            self.connects += 1
            self.box.teller.connected()
        found = [
            Message(one.topic.removeprefix(PREFIX), one.payload, one.qos, one.retain)
            for one in self.box.take()
        ]
        self.retained |= {one.topic: one.payload for one in found if one.retain}
        return found

    def after(self, seconds: float) -> list[Message]:
        self.clock.seconds += seconds
        return self.told()

    def metric(self, name: str) -> str | None:
        """What is known of it outside: the value told last."""
        self.told()
        return self.retained.get(f"metric/{name.replace('.', '/')}")

    def asked(self, name: str) -> str | None:
        """What the box answers to a request for it, None = nothing."""
        self.told()
        self.box.hear(f"{PREFIX}client/c/request/metric", name)
        topic = f"metric/{name.replace('.', '/')}"
        return next((one.payload for one in self.told() if one.topic == topic), None)

    def send(self, line: str) -> list[Message]:
        """A command; what the box says to it at once."""
        self.told()
        self.commands += 1
        self.box.hear(f"{PREFIX}client/c/command/{self.commands}", line)
        return self.told()

    def said(self, line: str) -> str:
        """Its answer, waiting as long as the command takes."""
        told = [*self.send(line), *self.after(20)]
        answers = [one.payload for one in told if one.topic == f"client/c/response/{self.commands}"]
        return answers[0].strip() if answers else ""

    def do(self, verb: str, **body: Any) -> None:
        self.box.notice()
        verbs.move(self.box, verb, body)
        self.box.notice()

    def events(self) -> list[str]:
        return [one.payload for one in self.told() if one.topic == "event"]

    def notes(self) -> list[str]:
        return [one.topic.removeprefix("notify/") for one in self.told() if one.topic.startswith("notify/")]


def bench(profile: str = "DEMO", **more: Any) -> Bench:
    """A connected box that has told everything once."""
    clock = HandClock()
    settings = BoxSettings("nowhere", 0, "box1", "secret", profile=profile, **more)
    found = Bench(firmware(settings, clock), clock)
    found.told()
    return found
