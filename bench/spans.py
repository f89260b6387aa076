"""Where the time of a request goes: spans around what takes it, in the measured process alone, when a request asks.

The answer carries them as `Server-Timing` (https://www.w3.org/TR/server-timing/). A span leaves out those inside it:
what authentication spends in the database is the database's.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import marshmallow
import orjson
import psycopg
import webargs.core

from app.kit import auth, listen, rate_limits

DATABASE, ADMIT, SERIALISE, BOX, ALL = "database", "admit", "serialise", "box", "all"
KINDS = (DATABASE, ADMIT, SERIALISE, BOX)
ASK = "Bench-Spans"
TIMED: tuple[tuple[Any, str, str], ...] = (
    (psycopg.Connection, "wait", DATABASE),
    (auth, "require_person", ADMIT),
    (auth, "require_operator", ADMIT),
    (auth, "require_partner", ADMIT),
    (rate_limits, "allow", ADMIT),
    (webargs.core.Parser, "parse", ADMIT),
    (marshmallow.Schema, "dump", SERIALISE),
    (orjson, "dumps", SERIALISE),
    (orjson, "loads", SERIALISE),
    (listen.Waiting, "until", BOX),
)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Watch(threading.local):
    """The request this thread takes apart, if it does: seconds by kind, and those inside each open span."""

    spent: dict[str, float] | None = None
    inside: list[float]


_watch = _Watch()


def timed(kind: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time added to the present request's."""

    @functools.wraps(work)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _watch.spent is None:
            return work(*args, **kwargs)
        _watch.inside.append(0.0)
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            took = time.perf_counter() - began
            _watch.spent[kind] += took - _watch.inside.pop()
            if _watch.inside:
                _watch.inside[-1] += took

    return run


class Spans:
    """The app, taken apart where a request has the header; all others pass through it untouched."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        for owner, name, kind in TIMED:
            setattr(owner, name, timed(kind, getattr(owner, name)))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_BENCH_SPANS" not in environ:
            return self._app(environ, start_response)
        _watch.spent, _watch.inside = dict.fromkeys(KINDS, 0.0), []
        began = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            spent = {**(_watch.spent or {}), ALL: time.perf_counter() - began}
            told = ", ".join(f"{kind};dur={seconds * 1000:.3f}" for kind, seconds in spent.items())
            return start_response(status, [*headers, ("Server-Timing", told)], *rest)

        try:
            return self._app(environ, start)
        finally:
            _watch.spent = None
