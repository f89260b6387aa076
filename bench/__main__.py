"""`make bench`: seed a place, measure, print a table, write bench/results.json."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from app.kit.config import Limits
from app.kit.metrics import lags
from app.supervisor import Supervisor
from bench import rows_box, rows_db, rows_http, rows_link, rows_money, where
from bench.seed import Seeded, seed
from bench.table import printed, told

RESULTS = Path(__file__).parent / "results.json"
ABOUT = {
    "booking": "take a slot: our code / lock, insert, commit by raw psycopg, one thread",
    "search": "free cars of a community: our code / raw psycopg",
    "coverage": "covered at an instant: our code / raw psycopg",
    "statement": "an owner's month of 5,000 rentals: our code / the same three questions raw",
    "coverage_http": "the insurer's question over HTTP / the least view on the same server",
    "unlock": "door command over HTTP / bare MQTT exchange; p50 and p99 are our overhead",
    "grant_issue": "issue an offline grant: our code / one bare P-256 signature, one thread",
    "grant_exchange": "open by a grant, phone and box: our code / three bare signatures, two verifications",
    "webhook_http": "signed events, each stored with its job before the 2xx, 8 clients / aim 200 a second",
    "settlement": "ended rentals captured by two workers, of 500 / aim 10,000 in ten minutes; p50, p99: command to outcome",
    "booking_http": "book a quote, 8 clients / aim 150 a second, p99 under 150 ms",
    "availability_http": "one car's calendar, 8 clients / aim 330 a second",
    "list_http": "100 of 200 cars with totals, 8 clients / aim 150 a second",
    "ingest": "readings through broker, driver and database, one process / aim; ms from arrival to commit",
    "boxlink_memory": "of a process that holds 20,000 boxes with their usual readings / aim",
}


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    roomy = {f"GLOVEBOX_LIMIT_{name.upper()}": "10000000/60" for name in Limits.__dataclass_fields__}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with Supervisor(Path(folder), mode="test", settings=roomy, entry="bench.least:app") as place:
            console.print("[dim]seeding 200 cars, 100 members, 50,000 rentals …[/dim]")
            rows, apart = measure(place, seed(place), console)
    console.print(printed(rows, ABOUT))
    console.print(where.table(apart))
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    console.print(f"written to {RESULTS.name}; the command: make bench; how to read it: docs/speed.md")
    return 0


def measure(
    place: Supervisor, seeded: Seeded, console: Console
) -> tuple[list[dict[str, Any]], list[where.Spent]]:
    """Every row in the order of the table, and where the time of three of them goes."""
    _until_sealed(place, console)
    rows = [told(console, found) for found in rows_db.rows(place.application(), seeded)]
    grants = [told(console, found) for found in rows_box.grants(seeded.scale)]
    over_http = [told(console, one(seeded)) for one in rows_http.ROWS]
    _drained(place, console)
    apart = rows_http.taken_apart(seeded)
    unlock, unlock_apart = rows_http.unlock(place, seeded)
    money = [told(console, one(place, seeded)) for one in (rows_money.webhooks, rows_money.settlement)]
    rows += [over_http[0], told(console, unlock), *over_http[1:], *money, *grants]
    rows += [told(console, rows_link.ingest(place, seeded)), told(console, rows_link.memory(seeded))]
    return rows, [*apart, unlock_apart]


def _until_sealed(place: Supervisor, console: Console) -> None:
    began = time.monotonic()
    with place.application().app_context():
        while lags()["sealing_lag"] > 0:
            time.sleep(0.2)
    console.print(f"[dim]50,000 facts sealed in {time.monotonic() - began:.1f} s[/dim]")


def _drained(place: Supervisor, console: Console) -> None:
    """How long one worker needs for what the booking run left behind."""
    began = time.monotonic()
    with place.application().app_context():
        left = lags()["waiting"]
        while lags()["waiting"] > 0 and time.monotonic() - began < 120:
            time.sleep(0.2)
    console.print(f"[dim]{left:.0f} jobs drained by one worker in {time.monotonic() - began:.1f} s[/dim]")


if __name__ == "__main__":
    raise SystemExit(main())
