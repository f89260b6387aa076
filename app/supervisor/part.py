"""One process of the place: how it is started, heard and stopped."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY_WITHIN_S, STOP_WITHIN_S = 60.0, 15.0


class PartFailedError(RuntimeError):
    """A part did not come up; the text names it and shows the end of its log."""


def with_us() -> list[str]:
    """Where the system can, a part ends with the process that started it, however that one ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv and sys.platform == "linux" else []


@dataclass(slots=True)
class Part:
    """One process of the place, at best the leader of a session of its own."""

    name: str
    process: subprocess.Popen[str]
    log: Path
    ready: dict[str, Any] = field(default_factory=dict)

    def end_of_log(self) -> str:
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else ""

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """End it, by force after `within_s` seconds; what it has started and left behind ends with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._end_its_children()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _end_its_children(self) -> None:
        """Those still in the group it leads; a process that leads none has left nobody that we could name."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def await_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Until a double has said where it listens. Raises PartFailedError for one that ends or says nothing."""
        assert self.process.stdout is not None
        heard, _, _ = select.select([self.process.stdout], [], [], within_s)
        if not heard:
            raise PartFailedError(f"{self.name} said nothing within {within_s:.0f} s:\n{self.end_of_log()}")
        line = self.process.stdout.readline()
        if not line:
            raise PartFailedError(f"{self.name} did not start:\n{self.end_of_log()}")
        self.ready = json.loads(line)
