"""The table of the long run: each thing that may go wrong at a car's door, and whether all held."""

import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
COLUMNS = ("openings", "commands", "custody", "stuck")


@dataclass
class Row:
    """One test of a case."""

    case: str
    outcome: str = ""
    seconds: float = 0.0
    looked: dict[str, int] = field(default_factory=dict)


class MustHold:
    """Collects what the tests marked `must_hold` found; their reports may come from other processes."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("must_hold")
            if mark is not None:
                item.user_properties.append(("must_hold", mark.args[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        known: dict[str, Any] = dict(report.user_properties)
        if "must_hold" not in known:
            return
        row = self._rows.setdefault(report.nodeid, Row(known["must_hold"]))
        row.looked = known.get("looked", row.looked)
        row.seconds += report.duration if report.when == "call" else 0.0
        if report.when == "call" or report.outcome != "passed":
            row.outcome = report.outcome if row.outcome in ("", "passed") else row.outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not LONG or not self._rows:
            return
        table = Table("case", "held", "seconds", *COLUMNS, title="What must hold at the car's door")
        for row in sorted(self._rows.values(), key=lambda one: one.case):
            held = {"passed": "yes", "skipped": "left out"}.get(row.outcome, "NO")
            cells = (str(row.looked.get(name, "")) for name in COLUMNS)
            table.add_row(row.case, held, f"{row.seconds:.1f}", *cells)
        console = Console(file=terminalreporter._tw._file, width=140)
        console.print(table)
        console.print(
            "openings of the doors, each inside custody and cover of who asked; commands at the box, each done at most once;"
            " spans of custody without a gap; what was stuck after a minute of calm. Blank: the test's own look."
        )
