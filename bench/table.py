"""Rows as they are printed."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.turns import Row


def printed(rows: Sequence[Row], about: Mapping[str, str]) -> Table:
    """All of them, with what was measured."""
    made = Table("what", "ours", "limit", "ratio", "unit", "p50 ms", "p99 ms", "measured")
    for row in rows:
        cells = (row[key] for key in ("name", "ours", "limit", "ratio", "unit", "p50_ms", "p99_ms"))
        made.add_row(*map(str, cells), about[row["name"]])
    return made


def told(console: Console, row: Row) -> Row:
    """One as soon as it is known."""
    console.print(f"[dim]{row['name']}: {row['ours']} {row['unit']}, ratio {row['ratio']}[/dim]")
    return row
