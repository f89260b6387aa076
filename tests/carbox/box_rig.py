"""What the car box tests share: a listener that remembers, real time, waiting."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from carbox.box import LOCK_NAMES, Answer, Box, BoxAddress, BoxState, CarBox, DoorWiring, KeySensor
from carbox.simulator.process import Simulator

NAMES = ("backend", *(f"box{number}" for number in range(1, 101)))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def real_time() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def eventually(true: Callable[[], object], within_s: float = 5.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it never became true"
        time.sleep(0.01)


def has_said_all(door: CarBox, box: Box, simulator: Simulator) -> None:
    """The box has given a sign of life, and reacts to nothing more until its fault is another; all that it said has come.

    Else what it said on connecting might be taken for an answer to what is asked later.
    """
    assert door.alive(box)
    simulator.fault(box.address.username, "silent")
    eventually(lambda: not door.fresh(box, LOCK_NAMES, within_s=0.3))


@dataclass
class Told:
    """A listener that keeps what it was told."""

    readings: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    connections: list[tuple[str, bool]] = field(default_factory=list)
    late: list[tuple[str, Answer]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    def on_reading(self, box: BoxAddress, delta: BoxState) -> None:
        self.readings.append((box.username, {name: each.value for name, each in delta.items()}))

    def on_connection(self, box: BoxAddress, *, up: bool) -> None:
        self.connections.append((box.username, up))

    def on_late_answer(self, box: BoxAddress, command_id: str, answer: Answer) -> None:
        del box
        self.late.append((command_id, answer))

    def on_event(self, box: BoxAddress, name: str, text: str) -> None:
        del text
        self.events.append((box.username, name))


@dataclass
class Cast:
    """Boxes for one test each, so that no test sees another's car."""

    simulator: Simulator
    used: int = 0
    there: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def box(self, profile: str = "DEMO", *, wiring: DoorWiring | None = None, **more: Any) -> Box:
        with self.guard:
            self.used += 1
            username = f"box{self.used}"
            self.there.add(username)
        self.simulator.add(username, f"pw-{username}", profile=profile, **more)
        return Box(
            BoxAddress(username, "CAR"), wiring or DoorWiring(pin="4711", key_sensor=KeySensor(port=6))
        )

    def leave(self) -> None:
        """Those of a test go with it: each would work on for nobody, fifty times as fast as a real one."""
        for username in self.there & set(self.simulator.call("GET", "state")):
            self.simulator.remove(username)
        self.there.clear()
