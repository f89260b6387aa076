"""What boxes do by themselves, put aside quickly for threads that may take their time."""

import queue
import threading

import structlog

from carbox.box import Answer, BoxAddress, BoxState, Reading

log = structlog.get_logger(__name__)


class Inbox:
    """Readings on their way to the database: the newest of each name of each box.

    However slow the database is, it holds no more than one state per box, and never drops the newest reading.
    """

    def __init__(self) -> None:
        self._guard = threading.Condition()
        self._came: dict[str, dict[str, Reading]] = {}

    def add(self, username: str, delta: BoxState) -> None:
        with self._guard:
            self._came.setdefault(username, {}).update(delta)
            self._guard.notify()

    def wait(self, seconds: float) -> bool:
        """Until there is something, at most so long; whether there is."""
        with self._guard:
            return self._guard.wait_for(lambda: bool(self._came), seconds)

    def take(self) -> dict[str, BoxState]:
        """All that came since the last call, by username."""
        with self._guard:
            came, self._came = self._came, {}
        return {username: BoxState(found) for username, found in came.items()}

    def put_back(self, batch: dict[str, BoxState]) -> None:
        """What could not be written; what has come meanwhile is newer."""
        with self._guard:
            for username, state in batch.items():
                self._came[username] = {**state, **self._came.get(username, {})}

    def __len__(self) -> int:
        return len(self._came)


class Listener:
    """The door's listener: it only puts aside."""

    def __init__(self) -> None:
        self.readings = Inbox()
        self.late: queue.SimpleQueue[tuple[str, str, Answer]] = queue.SimpleQueue()
        """Whose account answered, the command, what it said."""

    def on_reading(self, box: BoxAddress, delta: BoxState) -> None:
        self.readings.add(box.username, delta)

    def on_connection(self, box: BoxAddress, *, up: bool) -> None:
        log.info("box connection", box=box.username, up=up)

    def on_late_answer(self, box: BoxAddress, command_id: str, answer: Answer) -> None:
        log.info("late answer", box=box.username, command=command_id, kind=answer.kind.value)
        self.late.put((box.username, command_id, answer))

    def on_event(self, box: BoxAddress, name: str, text: str) -> None:
        log.info("box event", box=box.username, event_name=name, length=len(text))
