"""`make bench-city`: 20,000 cars, 4 million people, 5 million memberships, and what is asked of them; writes bench/results_city.json.

Seeding takes minutes and 5 GB. With `--folder` the city stays there for runs of the same day and the next.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app.supervisor import Supervisor
from bench import ready_city, rows_city, seed_city
from bench.insurer import place_in
from bench.scale import FULL, Scale
from bench.table import printed, told
from bench.turns import Row

RESULTS = Path(__file__).parent / "results_city.json"
NEEDS_GB = 10
ABOUT = {
    "search_circle": "cars free for a span near a place, by a member of a family circle, 8 clients / the same select, 8 connections",
    "search_pool": "the same by a member of a pool of 323 cars",
    "quote_and_book": "a quote and its booking of a random car, 8 clients / lock the car, insert the slot, commit by raw psycopg",
    "book": "the booking alone, its quote being there / the same",
    "accept": "accept an invitation, 8 clients / lock it, insert the membership, use it up, commit by raw psycopg",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.city", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the city is kept; a temporary one when left out")
    parser.add_argument("--tenth", action="store_true", help="a tenth of the people and memberships")
    given = parser.parse_args()
    scale = FULL
    if given.tenth:
        people, memberships = FULL.city_people // 10, FULL.city_memberships // 10
        scale = replace(FULL, city_people=people, city_memberships=memberships)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _prepare(folder)
        rows = measure(stack.enter_context(place_in(folder)), scale, console)
    console.print(printed(rows, ABOUT))
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    console.print(f"written to {RESULTS.name}; the command: make bench-city; how to read it: docs/speed.md")
    return 0


def _prepare(folder: Path) -> None:
    """Seeding begins on nothing: what is old or half done is removed. Raises SystemExit where the disk is too small."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    if seed_city.read(folder) is not None:
        return
    (folder / seed_city.SEEDED).unlink(missing_ok=True)
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    if shutil.disk_usage(folder).free < NEEDS_GB * 10**9:
        raise SystemExit(f"{folder} has less than {NEEDS_GB} GB free: name another with --folder")


def measure(place: Supervisor, scale: Scale, console: Console) -> list[Row]:
    """Every row in the order of the table."""
    began = time.monotonic()

    def tell(words: str) -> None:
        load = os.getloadavg()[0]
        console.print(f"[dim]{time.monotonic() - began:5.0f} s  load {load:4.1f}  {words}[/dim]")

    asked = ready_city.ready(place, seed_city.seed_city(place, scale, tell), scale)
    rows = []
    for one in rows_city.ROWS:
        tell(one.__name__)
        rows.append(told(console, one(asked)))
    tell("measured")
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
