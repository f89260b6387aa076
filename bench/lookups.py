"""`python -m bench.lookups`: whether the time of a look-up tells a plate that nobody knows from a car that is ours.

One client over HTTP, one question after the other, the cases in random order in one run. What is compared is their median
with that of the unknown plate. It needs half a minute.
"""

import http.client
import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import psycopg
from rich.console import Console
from rich.table import Table

from app.demo_cast import inst
from app.kit import auth
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.insurer import place_in
from bench.scale import FULL
from bench.seed_covers import LASTS, Covers, seed_covers

SCALE = replace(FULL, covered_cars=100, covers_each=1000)
EACH, WARM = 2000, 200
UNKNOWN, OUT, BACK, NEVER = "unknown plate", "a rival's car, out", "a rival's car, back", "never insured"
CASES = (UNKNOWN, OUT, BACK, NEVER)
_NEVER = (
    "insert into cars overriding system value select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'no',"
    " (select max(no) + 1 from cars), 'plate', 'NV00001', 'vin', 'WME00000000000001'))).* from cars c"
    " where no = %(car)s returning no"
)
_PLATE = (
    "insert into plates (car_no, country, normalised, from_at) values (%(car)s, 'FR', 'NV00001', %(from)s)"
)


class Question(NamedTuple):
    """What is asked in which case."""

    case: str
    path: str


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with place_in(Path(folder)) as place:
            covers = seed_covers(place, SCALE, lambda _: None)
            _never_insured(place, covers)
            took = measure(place, covers)
    console.print(_table(took))
    return 0


def _never_insured(place: Supervisor, covers: Covers) -> None:
    """One more car in the first one's country, without a cover."""
    with psycopg.connect(conninfo(place.database_url), autocommit=True) as db:
        made = db.execute(_NEVER, {"car": covers.first_no}).fetchone()
        assert made is not None
        db.execute(_PLATE, {"car": made[0], "from": covers.begin})
        db.execute("vacuum analyze")


def measure(place: Supervisor, covers: Covers) -> dict[str, list[float]]:
    """Seconds of each question, by case; all are answered alike, or it raises RuntimeError."""
    asks = covers.insurers[0]
    with place.application().app_context():
        token = auth.partner_token(
            asks.client, asks.id, frozenset(("coverage:lookup",)), uuid.uuid4().hex, timedelta(hours=1)
        )
    header = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    took: dict[str, list[float]] = {case: [] for case in CASES}
    parts = urlsplit(place.url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        for n in range(WARM + EACH):
            for case, path in random.sample(_questions(covers), len(CASES)):
                began = time.perf_counter()
                connection.request("GET", path, None, header)
                answer = connection.getresponse()
                said = answer.read()
                if n >= WARM:
                    took[case].append(time.perf_counter() - began)
                if answer.status != 200 or b'"covered":"unknown"' not in said:
                    raise RuntimeError(f"{case}: {answer.status} {said[:200]!r}")
    return took


def _questions(covers: Covers) -> list[Question]:
    """One of each case, of random cars and instants."""
    theirs = random.choice([car for car in range(covers.cars) if covers.insurer_of(car).country == "DE"])
    begins = covers.starts(theirs, random.randrange(covers.each))
    inside, outside = begins + LASTS * random.random(), begins + LASTS * (1.1 + random.random())
    unknown = f"QQ{random.randrange(10**5):05d}"
    asked = (
        (UNKNOWN, unknown, "DE", inside),
        (OUT, covers.plate(theirs, inside), "DE", inside),
        (BACK, covers.plate(theirs, outside), "DE", outside),
        (NEVER, "NV00001", "FR", inside),
    )
    return [
        Question(case, f"/v1/insurer/lookup?plate={plate}&country={country}&at={quote(inst(at))}")
        for case, plate, country, at in asked
    ]


def _table(took: dict[str, list[float]]) -> Table:
    table = Table("case", "median ms", "p90 ms", "ratio of medians to the unknown plate")
    base = statistics.median(took[UNKNOWN])
    for case, times in took.items():
        middle, late = statistics.median(times), statistics.quantiles(times, n=10)[-1]
        table.add_row(case, f"{middle * 1000:.3f}", f"{late * 1000:.3f}", f"{middle / base:.3f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
