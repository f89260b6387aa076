"""What the driver remembers of one box: readings, signs of life, and commands whose answers are awaited."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from carbox.box import Box, BoxAddress, BoxState, Command, DoorWiring, Reading, Value
from carbox.ovms_metrics import OWN_WORK, PRESENT, RESTORED, SHOWS_CAR, derived, normalised, sources

REMEMBERED_COMMANDS: Final = 100
DOUBT_AGAIN_S: Final = 5.0
DERIVED_FROM: Final = sources(("plugged", "keys_in_glove_box"))


@dataclass(slots=True)
class Sent:
    """A command that left: `waited` until its sender gave up, `answer` once the box has spoken."""

    box: Box
    command: Command
    line: str
    ended: int
    waited: bool = True
    answer: str | None = None
    answered_at: datetime | None = None


@dataclass(slots=True)
class BoxMemory:
    """All fields are guarded by `changed`, which is notified on every arrival."""

    address: BoxAddress
    changed: threading.Condition = field(default_factory=threading.Condition)
    wiring: DoorWiring | None = None
    up: bool | None = None
    ended: int = 0
    """How often this box's connection was seen to end."""
    arrivals: int = 0
    proof_at: float | None = None
    """When (monotonic) the latest request left that the box has answered on this connection."""
    present_at: int = 0
    """The arrival that last showed the box itself speaking."""
    last_at: float = 0.0
    sees_car: bool = False
    """Whether the car itself was heard on this connection: else a box may be telling what it had kept over a reboot."""
    asked_until: float = 0.0
    """Until then (monotonic) a word that the box is there is the answer to a request, not a new connection."""
    doubtful: dict[str, tuple[Value, datetime]] = field(default_factory=dict)
    """What came on this connection before the car was heard on it."""
    doubted_at: float = float("-inf")
    readings: dict[str, Reading] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)
    """Name -> the arrival that brought it, live ones only."""
    sent: OrderedDict[str, Sent] = field(default_factory=OrderedDict)

    def take(self, metric: str, text: str, *, retained: bool, at: datetime) -> tuple[BoxState, bool | None]:
        """Store a metric; returns the readings it changed or renewed, and `up` if that changed."""
        with self.changed:
            self.arrivals += 1
            self.last_at = time.monotonic()
            turned = self._connection(text, retained=retained) if metric == PRESENT[0] else None
            if metric in PRESENT and not retained and self.up is not False:
                self.present_at = self.arrivals
            known = normalised(metric, text)
            delta = self._judged(*known, retained=retained, at=at) if known else BoxState()
            self.changed.notify_all()
            return delta, turned

    def _connection(self, text: str, *, retained: bool) -> bool | None:
        up = text.strip() == "yes"
        if not up:
            self.ended += 1
            self.proof_at = None
        # a box that died without a word and is back takes its own connection over, and the broker tells no will
        if not up or (not retained and time.monotonic() > self.asked_until):
            self._forget_car()
        turned = up if up != self.up else None
        self.up = up
        return turned

    def _forget_car(self) -> None:
        self.sees_car, self.doubted_at = False, float("-inf")
        self.doubtful.clear()

    def _judged(self, name: str, value: Value, *, retained: bool, at: datetime) -> BoxState:
        """Store it as live or as of unknown age: what a box may have kept waits until its car is heard."""
        if retained:
            return self._store(name, value, retained=True, at=at)
        delta: dict[str, Reading] = {}
        changed = name in self.doubtful and name not in OWN_WORK and self.doubtful[name][0] != value
        if not self.sees_car and (name in SHOWS_CAR or changed):
            self.sees_car = True
            for each, (known, came_at) in self.doubtful.items():
                delta |= self._store(each, known, retained=False, at=came_at)
            self.doubtful.clear()
        if self.sees_car or name not in RESTORED:
            return BoxState(delta | dict(self._store(name, value, retained=False, at=at)))
        self.doubtful[name] = value, at
        old = self.readings.get(name)
        if old is not None and not old.retained:
            return BoxState()  # what is known with its time is not replaced by what is not
        return self._store(name, value, retained=True, at=at)

    def doubts(self) -> bool:
        """Whether to ask for the car's doors, now and not again at once: the lock was told by a box that may not see it."""
        with self.changed:
            now = time.monotonic()
            if self.sees_car or "locked" not in self.doubtful or now - self.doubted_at < DOUBT_AGAIN_S:
                return False
            self.doubted_at = now
            return True

    def _store(self, name: str, value: Value, *, retained: bool, at: datetime) -> BoxState:
        delta = {}
        for part, made in ((name, value), *self._derived(name, value)):
            old = self.readings.get(part)
            if retained and old is not None and not old.retained and old.value == made:
                continue  # the broker repeats what we heard ourselves: keep the time we know
            delta[part] = self.readings[part] = Reading(part, made, at, retained)
            if not retained:
                self.arrived[part] = self.arrivals
        return BoxState(delta)

    def _derived(self, name: str, value: Value) -> Iterable[tuple[str, Value]]:
        if name not in DERIVED_FROM:
            return ()
        values = {known: self.readings[known].value for known in DERIVED_FROM if known in self.readings}
        return derived(name, values | {name: value}, self.wiring)

    def rewire(self, wiring: DoorWiring) -> None:
        """Take over the caller's wiring and work out again what depends on it."""
        with self.changed:
            if wiring == self.wiring:
                return
            self.wiring = wiring
            self.readings.pop("keys_in_glove_box", None)
            self.arrived.pop("keys_in_glove_box", None)
            inputs = self.readings.get("inputs_high")
            if inputs is not None:
                for name, value in derived("inputs_high", {"inputs_high": inputs.value}, wiring):
                    self.readings[name] = Reading(name, value, inputs.received_at, inputs.retained)

    def since(self, arrival: int, names: tuple[str, ...]) -> BoxState:
        """Those of the names that arrived live after that arrival."""
        return BoxState({name: self.readings[name] for name in names if self.arrived.get(name, 0) > arrival})

    def remember(self, command_id: str, sent: Sent) -> None:
        self.sent[command_id] = sent
        while len(self.sent) > REMEMBERED_COMMANDS:
            self.sent.popitem(last=False)

    def link_lost(self) -> None:
        """Our own connection ended: what was proved on it counts no longer."""
        with self.changed:
            self.proof_at = self.up = None
            self._forget_car()
            self.changed.notify_all()
