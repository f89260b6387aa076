"""Fetch and read somebody's calendar, apart: a process of its own, without our secrets, that may be killed.

An address and a file that a stranger chose may stall (a name that resolves slowly, a byte a second) or keep a processor
busy (a rule that never comes true); neither holds up a worker, nor fills its memory.
"""

import json
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.cars import busy_times
from app.cars.busy_times import NoCalendar
from app.cars.spans import Span
from app.kit import fetch

MOST_BYTES: Final = 5_000_000
WAIT_S: Final = 30
"""As long as the fetch may take, the reading, and the start of a process on a busy machine."""
_PROCESSOR_S, _MEMORY = 15, 1 << 30
_ROOT: Final = Path(__file__).parents[2]


class CannotRead(Exception):
    """The calendar could not be had; `code` is a word of `CODES`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


CODES: Final = frozenset(
    {
        "forbidden_address",
        "not_found",
        "not_allowed",
        "unreachable",
        "too_slow",
        "too_large",
        "too_many",
        "web_page",
        "empty",
        "broken",
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked: the busy spans of [start, end), whole days on the clocks of `zone`; with what came along the last
    time, only if they have changed. `local`: this machine's own addresses will do.
    """

    url: str
    zone: str
    start: datetime
    end: datetime
    etag: str | None = None
    last_modified: str | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What the calendar says now; `spans` is None where nothing has changed since it was read last."""

    spans: list[Span] | None
    events: int
    skipped: list[tuple[str, str]]
    etag: str | None
    last_modified: str | None


def read(look: Look) -> Found:
    """The busy spans of a calendar, read by another process. Raises CannotRead."""
    asked = {**asdict(look), "start": look.start.isoformat(), "end": look.end.isoformat()}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.cars.read_calendar"],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WAIT_S,
            cwd=_ROOT,
            env={name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotRead("too_slow") from error
    except OSError as error:  # no process to be had: later, perhaps
        raise CannotRead("unreachable") from error
    if done.returncode != 0:
        raise CannotRead("broken")
    said = json.loads(done.stdout)
    if said.get("error"):
        raise CannotRead(said["error"])
    return _found(said)


def _found(said: Mapping[str, Any]) -> Found:
    given = said["spans"]
    spans = (
        None if given is None else [(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in given]
    )
    skipped = [(uid, why) for uid, why in said["skipped"]]
    return Found(spans, said["events"], skipped, said["etag"], said["last_modified"])


# -- the other process --------------------------------------------------------------------------------------------------


def _answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        came = fetch.get(
            asked["url"],
            at_most=MOST_BYTES,
            etag=asked["etag"],
            last_modified=asked["last_modified"],
            local=asked["local"],
        )
        tags = {"etag": came.etag, "last_modified": came.last_modified}
        if came.body is None:
            return {"spans": None, "events": 0, "skipped": [], **tags}
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
        busy = busy_times.read(came.body, ZoneInfo(asked["zone"]), start, end)
    except fetch.FetchFailed as error:
        return {"error": _code_of(error)}
    except NoCalendar as error:
        return {"error": error.code}
    spans = [(a.isoformat(), b.isoformat()) for a, b in busy.spans]
    return {"spans": spans, "events": busy.events, "skipped": busy.skipped, **tags}


def _code_of(error: fetch.FetchFailed) -> str:
    by_type = {
        fetch.AddressForbidden: "forbidden_address",
        fetch.TooLarge: "too_large",
        fetch.TooSlow: "too_slow",
    }
    by_status = {401: "not_allowed", 403: "not_allowed", 404: "not_found", 410: "not_found"}
    return by_type.get(type(error)) or by_status.get(error.status or 0, "unreachable")


def main() -> None:
    """Read what is asked from the standard input, write what was found to the standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_S, _PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")  # the libraries' guesses at odd zones are not for anybody to read
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
