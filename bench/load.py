"""Load from processes of their own: 8 clients with kept connections, each request timed."""

import http.client
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CLIENTS, PROCESSES = 8, 2


@dataclass(frozen=True, slots=True)
class Call:
    """One request to send."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run came to; times in milliseconds."""

    rate: float
    p50: float
    p99: float
    count: int
    failed: int


def quantile(times: Sequence[float], q: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


def _client(url: str, calls: Sequence[Call], stop_at: float, out: list[tuple[float, int]]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    for call in calls:
        if time.monotonic() > stop_at:
            break
        began = time.perf_counter()
        connection.request(call.method, call.path, call.body, call.headers)
        answer = connection.getresponse()
        answer.read()
        out.append((time.perf_counter() - began, answer.status))
    connection.close()


def _process(
    url: str, shares: Sequence[Sequence[Call]], seconds: float, pipe: "multiprocessing.connection.Connection"
) -> None:
    import threading

    results: list[list[tuple[float, int]]] = [[] for _ in shares]
    stop_at = time.monotonic() + seconds
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_client, args=(url, share, stop_at, out))
        for share, out in zip(shares, results, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send((time.perf_counter() - began, [one for out in results for one in out]))


def run(
    url: str, calls: Sequence[Call], *, seconds: float, clients: int = CLIENTS, processes: int = PROCESSES
) -> Measured:
    """Send the calls from `clients` at once until they or the seconds run out."""
    shares = [calls[n::clients] for n in range(clients)]
    pipes, started = [], []
    for n in range(processes):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=_process, args=(url, shares[n::processes], seconds, theirs))
        process.start()
        pipes.append(ours)
        started.append(process)
    found = [pipe.recv() for pipe in pipes]
    for process in started:
        process.join()
    took = max(one[0] for one in found)
    times = [time_s for _, rows in found for time_s, _ in rows]
    failed = sum(status >= 300 for _, rows in found for _, status in rows)
    return Measured(
        len(times) / took, quantile(times, 0.5) * 1000, quantile(times, 0.99) * 1000, len(times), failed
    )
