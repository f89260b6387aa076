"""A month's bordereau of many covers beside one of a tenth: its time grows with the lines, its memory does not."""

import hashlib
import http.client
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from app.kit.db import bare
from app.kit.media import CSV, JSON
from app.supervisor import ROOT, Supervisor
from bench.rows_insurer import Asked, headers, row
from bench.seed_covers import Insurer
from bench.turns import Row

LARGE, SMALL = 0, -1
"""The insurers with the most and the fewest covers in a month."""
HELD_UP_AT_MOST_S = 2.0
"""So long facts may wait to be sealed while a bordereau is written: the aim."""
LOOK_EVERY_S = 0.02
_WRITING = "select backend_xid::text from pg_stat_activity where backend_type = 'client backend' and backend_xid is not null"

_FORGET = (
    "delete from bordereau_rows where bordereau_id in (select id from bordereaux where insurer_id = %(insurer)s)",
    "delete from bordereaux where insurer_id = %(insurer)s",
    "delete from covers_reported r using covers c where c.id = r.cover_id and c.insurer_id = %(insurer)s",
    (
        "insert into bordereaux (id, insurer_id, number, month, kind, closed_at, csv_head, lines, csv_sha256, json_sha256)"
        " values (%(id)s, %(insurer)s, %(number)s, to_char(%(begin)s::date - 1, 'YYYY-MM'), 'risk', now(), '', 0, '', '')"
    ),
    (
        "insert into covers_reported (cover_id, version, premium, voided) select c.id, 1, c.premium, false"
        " from covers c join cars k on k.no = c.car_no where c.insurer_id = %(insurer)s"
        " and c.recorded_at >= %(begin)s::date - 3 and (c.from_at at time zone k.time_zone)::date < %(begin)s::date"
    ),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One month closed and fetched: lines, seconds, and the most memory each took, in MB.

    `held_up_s`: how long a transaction that wrote was open, the longest of all.
    """

    lines: int
    closing_s: float
    closing_mb: float
    held_up_s: float
    fetched: dict[str, tuple[float, float]]


def bordereau(asked: Asked, tell: Callable[[str], None]) -> list[Row]:
    """Lines a second, then the memory of the command that closes it and of the server that hands it out, both sizes."""
    large, small = (_made(asked, asked.covers.insurers[n], tell) for n in (LARGE, SMALL))
    rate, limit = large.lines / large.closing_s, small.lines / small.closing_s
    rows = [row("bordereau_100k", rate, limit, "1/s", large.closing_s * 1000, 0.0)]
    rows.append(row("bordereau_close_mb", large.closing_mb, small.closing_mb, "MB", 0.0, 0.0))
    held_up = large.held_up_s * 1000
    rows.append(row("bordereau_held_up", held_up, HELD_UP_AT_MOST_S * 1000, "ms", 0.0, 0.0))
    for form, (seconds, mb) in large.fetched.items():
        rows.append(row(f"bordereau_{form}_mb", mb, small.fetched[form][1], "MB", seconds * 1000, 0.0))
    return rows


def _made(asked: Asked, insurer: Insurer, tell: Callable[[str], None]) -> Made:
    _forget(asked, insurer)
    with _watched(asked.dsn) as held_up:
        lines, seconds, mb = _closed(asked, insurer)
    fetched = {form: _fetched(asked, insurer, accept) for form, accept in (("csv", CSV), ("json", JSON))}
    tell(f"{insurer.country} {asked.covers.month}: {lines} lines in {seconds:.1f} s")
    return Made(lines, seconds, mb, max(held_up), fetched)


def _forget(asked: Asked, insurer: Insurer) -> None:
    """As if the month before was the last one made, and made of all its covers, whatever an earlier run has left."""
    begin = f"{asked.covers.month}-01"
    values = {
        "insurer": bare(insurer.id, "ins"),
        "number": f"{insurer.country}-BENCH",
        "id": uuid.uuid4(),
        "begin": begin,
    }
    with psycopg.connect(asked.dsn) as db:
        db.execute("set local session_replication_role = replica")  # rows refuse to be removed
        for statement in _FORGET:
            db.execute(statement, values)


@contextmanager
def _watched(dsn: str) -> Iterator[list[float]]:
    """For how long each transaction that writes was open, in seconds, at the most: it may have begun just after a look."""
    seen, stop = [LOOK_EVERY_S], threading.Event()

    def watch() -> None:
        since: dict[str, float] = {}
        with psycopg.connect(dsn, autocommit=True) as db:
            while not stop.wait(LOOK_EVERY_S):
                now, found = time.perf_counter(), [xid for (xid,) in db.execute(_WRITING)]
                since = {xid: since.get(xid, now) for xid in found}
                seen.extend(now - begun + LOOK_EVERY_S for begun in since.values())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        stop.set()
        watching.join()


def _closed(asked: Asked, insurer: Insurer) -> tuple[int, float, float]:
    """The command as an operator gives it: lines, seconds, MB."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "bordereaux", "close", asked.covers.month]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GLOVEBOX_")}
    environment = {**clean, "PYTHONPATH": str(ROOT), **asked.place.environment}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--insurer", insurer.id], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"bordereaux close: {said}")
    lines = int(said.split()[-2])
    return lines, time.perf_counter() - began, used.ru_maxrss / 1024


def _fetched(asked: Asked, insurer: Insurer, accept: str) -> tuple[float, float]:
    """One kind of the month over HTTP: seconds, and the most MB the server's larger process came to meanwhile."""
    servers = _servers(asked.place)
    for pid in servers:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is measured from here on
    parts = urlsplit(asked.place.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    began = time.perf_counter()
    path = f"/v1/insurer/bordereaux/{asked.covers.month}?kind=risk"
    connection.request("GET", path, None, headers(asked.tokens[insurer.id], accept))
    answer, hashed = connection.getresponse(), hashlib.sha256()
    while part := answer.read(1 << 16):
        hashed.update(part)
    took = time.perf_counter() - began
    connection.close()
    if answer.headers["ETag"] != f'"{hashed.hexdigest()}"':
        raise RuntimeError(f"bordereau: {answer.status}, not the file that was closed")
    return took, max(_peak_mb(pid) for pid in servers)


def _servers(place: Supervisor) -> list[int]:
    """The processes that answer: those the server started."""
    parent = place.parts["api"].process.pid
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found] or [parent]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
