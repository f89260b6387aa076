"""The peer of a row over HTTP: as many connections of raw psycopg as there are clients, from processes apart."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from bench.load import CLIENTS

PROCESSES = 2
Work = Callable[[psycopg.Connection[Any], Any], object]


def rate(dsn: str, work: Work, values: Sequence[Any], seconds: float) -> float:
    """How many a second, each of `values` worked on once, until they or the seconds run out."""
    pipes, started = [], []
    for n in range(PROCESSES):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(
            target=_keep_on, args=(dsn, work, values[n::PROCESSES], seconds, theirs)
        )
        process.start()
        pipes.append(ours)
        started.append(process)
    rates: list[float] = [pipe.recv() for pipe in pipes]
    for process in started:
        process.join()
    return sum(rates)


def _keep_on(dsn: str, work: Work, values: Sequence[Any], seconds: float, pipe: Connection) -> None:
    threads, counts = CLIENTS // PROCESSES, [0] * (CLIENTS // PROCESSES)

    def one_after_the_other(n: int, go: threading.Barrier) -> None:
        with psycopg.connect(dsn, autocommit=True) as db:
            go.wait()
            ends = time.monotonic() + seconds
            for one in values[n::threads]:
                work(db, one)
                counts[n] += 1
                if time.monotonic() > ends:
                    break

    go = threading.Barrier(threads + 1)
    working = [threading.Thread(target=one_after_the_other, args=(n, go)) for n in range(threads)]
    for one in working:
        one.start()
    go.wait()
    began = time.perf_counter()
    for one in working:
        one.join()
    pipe.send(sum(counts) / (time.perf_counter() - began))
