"""Starting the simulator as a process of its own, and its control port as calls."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
CALL_S: Final = 30.0
CONNECTED_WITHIN_S: Final = 15.0


class ControlRefused(Exception):
    """The simulator's control port said no; `status` and its words say why."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator. `add` returns once the box is connected to the broker."""

    control_port: int

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Raises ControlRefused."""
        url = f"http://127.0.0.1:{self.control_port}/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_S) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                problem = json.loads(refused.read())["problem"]
            raise ControlRefused(refused.code, problem) from None

    def add(self, username: str, password: str, **more: Any) -> None:
        """`more`: other settings of a box, and `pace`. Raises TimeoutError."""
        self.call("POST", "boxes", username=username, password=password, **more)
        ends = time.monotonic() + CONNECTED_WITHIN_S
        while not self.state(username)["connected"]:
            if time.monotonic() > ends:
                raise TimeoutError(f"{username} did not reach the broker")
            time.sleep(0.01)

    def remove(self, username: str) -> None:
        self.call("DELETE", f"boxes/{username}")

    def move(self, username: str, verb: str, **body: Any) -> Any:
        """A verb of `carbox/simulator/verbs.py`; returns the state after it."""
        return self.call("POST", f"boxes/{username}/{verb}", **body)

    def fault(self, username: str, kind: str, **more: Any) -> None:
        self.move(username, "fault", kind=kind, **more)

    def state(self, username: str) -> Any:
        return self.call("GET", f"boxes/{username}/state")

    def log(self, username: str) -> Any:
        return self.call("GET", f"boxes/{username}/log")


@contextlib.contextmanager
def running(
    broker_port: int, *, host: str = "127.0.0.1", control_port: int = 0, pace: float = 1.0
) -> Iterator[Simulator]:
    """A simulator without boxes, ended with SIGTERM."""
    where = ["--host", host, "--port", str(broker_port), "--control-port", str(control_port)]
    command = [sys.executable, "-m", "carbox.simulator", *where, "--pace", str(pace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 - ours
        try:
            assert process.stdout is not None
            yield Simulator(json.loads(process.stdout.readline())["control_port"])
        finally:
            process.terminate()
            process.wait(10)
