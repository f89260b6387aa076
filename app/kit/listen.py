"""One LISTEN connection per process wakes whoever waits; a re-read each second covers a lost notice."""

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import structlog

log = structlog.get_logger(__name__)
REREAD_S = 1.0


def connect(url: str) -> psycopg.Connection[Any]:
    """A lasting connection that notices within half a minute, at both ends, that the other is gone."""
    return psycopg.connect(
        conninfo(url),
        autocommit=True,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        options="-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    )


def conninfo(url: str) -> str:
    """What psycopg wants of an SQLAlchemy URL."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


class Waiting:
    """The waiters of this process, at most `most` at once."""

    def __init__(self, url: str, channel: str, most: int) -> None:
        self._url, self._channel, self._most = conninfo(url), channel, most
        self._lock = threading.Lock()
        self._events: dict[str, list[threading.Event]] = collections.defaultdict(list)
        self._count = 0
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def _place(self, ref: str) -> Iterator[threading.Event | None]:
        event = threading.Event()
        with self._lock:
            if self._count >= self._most:
                event_or_none = None
            else:
                self._count += 1
                self._events[ref].append(event)
                event_or_none = event
                self._start()
        try:
            yield event_or_none
        finally:
            if event_or_none is not None:
                with self._lock:
                    self._count -= 1
                    self._events[ref].remove(event)
                    if not self._events[ref]:
                        del self._events[ref]

    def until(self, ref: str, settled: Callable[[], bool], seconds: float) -> bool:
        """Wait until `settled` says so; False when the time is up or all places are taken."""
        deadline = time.monotonic() + seconds
        with self._place(ref) as event:
            while not settled():
                left = deadline - time.monotonic()
                if event is None or left <= 0:
                    return False
                event.wait(min(left, REREAD_S))
                event.clear()
        return True

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._listen, name=f"listen-{self._channel}", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                with connect(self._url) as connection:
                    connection.execute(f"listen {self._channel}".encode())
                    for notice in connection.notifies():
                        self._wake(notice.payload)
            except psycopg.Error as error:
                log.warning("listening again", channel=self._channel, error=repr(error))
                time.sleep(REREAD_S)

    def _wake(self, ref: str) -> None:
        with self._lock:
            for event in self._events.get(ref, []):
                event.set()


def notices(
    url: str, channel: str, every_s: float, stop: threading.Event, *, gather_s: float = 0
) -> Iterator[str | None]:
    """Notices of a channel for a loop of its own; None at least every `every_s`, and after each reconnection.

    With `gather_s` all that come so soon after the first count as one, the first.
    """
    while not stop.is_set():
        try:
            with connect(url) as connection:
                connection.execute(f"listen {channel}".encode())
                yield None
                while not stop.is_set():
                    found: list[str | None] = [
                        notice.payload for notice in connection.notifies(timeout=every_s, stop_after=1)
                    ]
                    if found and gather_s:
                        stop.wait(gather_s)
                        collections.deque(connection.notifies(timeout=0), maxlen=0)
                        found = found[:1]
                    yield from found or [None]
        except psycopg.Error as error:
            log.warning("listening again", channel=channel, error=repr(error))
            stop.wait(REREAD_S)
