"""The time of boxes and cars: hastened for tests and demo, moved by hand where nothing may wait."""

import time
from typing import Protocol


class Clock(Protocol):
    """`pace` multiplies every time of box and car: 0.02 makes their minute 1.2 s."""

    @property
    def pace(self) -> float: ...

    def now(self) -> float:
        """Seconds since 1970 as box and car count them."""

    def outside(self) -> float:
        """Seconds since 1970 in the world around them."""


class HastenedClock:
    """Starts at the world's time and runs `1 / pace` times as fast."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self._began, self._machine = time.time(), time.monotonic()

    def now(self) -> float:
        return self._began + (time.monotonic() - self._machine) / self.pace

    def outside(self) -> float:
        return time.time()
