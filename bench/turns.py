"""Ours beside a limit in one thread, taking turns: noise hits both."""

import time
from collections.abc import Callable
from typing import Any

from bench.load import quantile
from bench.scale import Scale

Row = dict[str, Any]


def compared(scale: Scale, name: str, ours: Callable[[], object], limit: Callable[[], object]) -> Row:
    """A slice of ours, a slice of theirs, and again; rates from the times of single calls, the ratio is of the two."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(scale.rounds):
        for which, call in enumerate((ours, limit)):
            ends = time.perf_counter() + scale.slice_s
            while (began := time.perf_counter()) < ends:
                call()
                times[which].append(time.perf_counter() - began)
    mine, theirs = (len(one) / sum(one) for one in times)
    return {
        "name": name,
        "ours": round(mine, 1),
        "limit": round(theirs, 1),
        "ratio": round(mine / theirs, 3),
        "unit": "1/s",
        "p50_ms": round(quantile(times[0], 0.5) * 1000, 3),
        "p99_ms": round(quantile(times[0], 0.99) * 1000, 3),
    }
