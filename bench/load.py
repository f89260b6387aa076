"""Load: 8 clients with kept connections, each request timed.

All clients are one thread on bare sockets: the load shares the cores with what it measures, so it takes 0.06 ms of them
for a request, and no client waits for another's thread.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CLIENTS, WAIT_S = 8, 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to send; `then` makes the next one of its answer, and both are timed as one."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None
    then: Callable[[bytes], "Call"] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run came to; the time of each request in milliseconds."""

    rate: float
    times: list[float]
    failed: int

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def p50(self) -> float:
        return quantile(self.times, 0.5)

    @property
    def p99(self) -> float:
        return quantile(self.times, 0.99)


def quantile(times: Sequence[float], q: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


class _Client:
    """One connection, its calls sent one after the other."""

    def __init__(self, address: tuple[str, int], calls: Iterator[Call]) -> None:
        self.socket = socket.create_connection(address, timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"{address[0]}:{address[1]}"
        self._calls = calls
        self.began = 0.0
        self._call: Call | None = None
        self._heard = b""

    def send(self) -> bool:
        """The next call; False when none is left."""
        self._call = next(self._calls, None)
        if self._call is None:
            return False
        self.began = time.perf_counter()
        self._send(self._call)
        return True

    def follow(self) -> bool:
        """What the answer leads to; False when that was all."""
        if self._call is None or self._call.then is None:
            return False
        self._call = self._call.then(self._heard.partition(b"\r\n\r\n")[2])
        self._send(self._call)
        return True

    def _send(self, call: Call) -> None:
        headers = {"Host": self._host, **call.headers}
        if call.body is not None or call.method != "GET":
            headers["Content-Length"] = str(len(call.body or b""))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sent = f"{call.method} {call.path} HTTP/1.1\r\n{head}\r\n".encode() + (call.body or b"")
        self._heard = b""
        self.socket.sendall(sent)

    def hear(self) -> int | None:
        """The status, once the answer is here as a whole. Raises ConnectionError."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed a kept connection")
        self._heard += part
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found:
            return None
        length = _LENGTH.search(head + b"\r\n")
        return int(head[9:12]) if len(body) >= (int(length[1]) if length else 0) else None


def run(url: str, calls: Sequence[Call], *, seconds: float, clients: int = CLIENTS) -> Measured:
    """Send the calls from `clients` at once until they or the seconds run out. Answers have a length, none is streamed."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    times: list[float] = []
    failed = 0
    with selectors.DefaultSelector() as ready:
        began = time.perf_counter()
        for n in range(clients):
            client = _Client(address, iter(calls[n::clients]))
            if client.send():
                ready.register(client.socket, selectors.EVENT_READ, client)
            else:
                client.socket.close()
        while ready.get_map():
            for key, _ in ready.select(WAIT_S) or _silent():
                status = key.data.hear()
                if status is None or (status < 300 and key.data.follow()):
                    continue
                now = time.perf_counter()
                times.append((now - key.data.began) * 1000)
                failed += status >= 300
                if now - began > seconds or not key.data.send():
                    ready.unregister(key.data.socket)
                    key.data.socket.close()
        took = time.perf_counter() - began
    return Measured(len(times) / took, times, failed)


def _silent() -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError(f"no answer within {WAIT_S:.0f} s")
