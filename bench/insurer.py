"""`make bench-insurer`: ten million covers, and what insurers ask of them; writes bench/results_insurer.json.

Seeding takes minutes and 25 GB. With `--folder` the covers stay there for the next run.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from app.kit.config import Limits
from app.supervisor import Supervisor
from bench import rows_bordereau, rows_insurer, where
from bench.scale import FULL, Scale
from bench.seed_covers import SEEDED, seed_covers
from bench.table import printed, told
from bench.turns import Row
from bench.where import Spent

RESULTS = Path(__file__).parent / "results_insurer.json"
NEEDS_GB = 30
ABOUT = {
    "coverage_10m_http": "covered at an instant, of 10 million covers, 8 clients / raw psycopg, 8 connections",
    "changes_cursor": "changes read by one walker over HTTP, 100 a page / the same pages by raw psycopg",
    "bordereau_100k": "lines a second (two a cover) while a month of 100,000 covers is closed / of 10,000; p50: the whole command",
    "bordereau_close_mb": "most memory of the command that closes 100,000 / 10,000",
    "bordereau_held_up": "ms that a transaction of that command holds up the sealer, the longest / the aim",
    "bordereau_csv_mb": "most memory of the server that hands it out as CSV, 100,000 / 10,000; p50: the whole file",
    "bordereau_json_mb": "the same as JSON",
}


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m bench.insurer", description=__doc__)
    given.add_argument("--folder", type=Path, help="where the covers are kept; a temporary one when left out")
    kept: Path | None = given.parse_args().folder
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    with ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _prepare(folder)
        rows, apart = measure(stack.enter_context(place_in(folder)), FULL, console)
    console.print(printed(rows, ABOUT))
    console.print(where.table(apart))
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    console.print(
        f"written to {RESULTS.name}; the command: make bench-insurer; how to read it: docs/speed.md"
    )
    return 0


def _prepare(folder: Path) -> None:
    """Seeding begins on nothing: what a broken one has left is removed. Raises SystemExit where the disk is too small."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    if (folder / SEEDED).exists():
        return
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    if shutil.disk_usage(folder).free < NEEDS_GB * 10**9:
        raise SystemExit(f"{folder} has less than {NEEDS_GB} GB free: name another with --folder")


def place_in(folder: Path) -> Supervisor:
    """Without a worker: nothing is to be done for what was seeded."""
    roomy = {f"GLOVEBOX_LIMIT_{name.upper()}": "10000000/60" for name in Limits.__dataclass_fields__}
    return Supervisor(
        folder, mode="test", settings=roomy, entry="bench.least:app", worker=False, database_url=""
    )


def measure(place: Supervisor, scale: Scale, console: Console) -> tuple[list[Row], list[Spent]]:
    """Every row in the order of the table, and where the time of two of them goes."""
    began = time.monotonic()

    def tell(words: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.0f} s  {words}[/dim]")

    asked = rows_insurer.ready(place, seed_covers(place, scale, tell), scale)
    rows = [told(console, one(asked)) for one in (rows_insurer.coverage, rows_insurer.changes)]
    apart = rows_insurer.taken_apart(asked)
    rows += [told(console, one) for one in rows_bordereau.bordereau(asked, tell)]
    return rows, apart


if __name__ == "__main__":
    raise SystemExit(main())
