"""Every row of `make bench` can be measured; how fast it is, is for a quiet machine to say."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from rich.console import Console

from app.demo_cast import until
from app.kit.embedded_postgres import free_port
from app.supervisor import ROOT, Supervisor
from app.supervisor.part import Part
from bench import city, insurer, where
from bench.__main__ import ABOUT, measure
from bench.scale import SMALL
from bench.seed import seed
from tests.faults.stack import long_run

KEYS = {"name", "ours", "limit", "ratio", "unit", "p50_ms", "p99_ms"}
NAMES = [
    "booking",
    "search",
    "coverage",
    "statement",
    "coverage_http",
    "unlock",
    "availability_http",
    "list_http",
    "booking_http",
    "webhook_http",
    "settlement",
    "grant_issue",
    "grant_exchange",
    "ingest",
    "boxlink_memory",
]


@pytest.fixture
def measured(place: Supervisor) -> Iterator[str]:
    """A second API of the place: the one that has the least view and takes requests apart."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    command += ["--blocking-threads", "16", "--no-access-log", "--log-level", "warning", "bench.least:app"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GLOVEBOX_")}
    environment = {**clean, "PYTHONPATH": str(ROOT), **place.environment}
    written = place.folder / "bench.log"
    with written.open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=log, text=True, start_new_session=True
        )
    api = Part("measured", process, written)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url), "the measured API", 30)
        yield url
    finally:
        api.stop()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.RequestException:
        return False


@long_run
def test_every_row_is_measured_and_three_are_taken_apart(place: Supervisor, measured: str) -> None:
    told = Console(file=io.StringIO(), width=200)
    rows, apart = measure(place, seed(place, SMALL, measured), told)
    assert [row["name"] for row in rows] == NAMES
    assert set(NAMES) == set(ABOUT)
    for row in rows:
        assert set(row) == KEYS
        assert row["ours"] > 0
        assert row["limit"] > 0
        assert row["ratio"] > 0
        assert row["unit"] in ("1/s", "ms", "MB")
        assert None not in row.values()
    assert [one.name for one in apart] == ["booking_http", "coverage_http", "unlock"]
    for one in apart:
        assert abs(sum(one.shares.values()) - 1) < 0.01
        assert one.shares["database"] > 0
    assert {one.name: one.shares["box"] > 0 for one in apart} == {
        "booking_http": False,
        "coverage_http": False,
        "unlock": True,
    }
    told.print(where.table(apart))


@long_run
def test_every_row_of_insurers_is_measured_and_two_are_taken_apart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder: Path = tmp_path_factory.mktemp("covers")
    told = Console(file=io.StringIO(), width=200)
    with insurer.place_in(folder) as place:
        rows, apart = insurer.measure(place, SMALL, told)
    assert [row["name"] for row in rows] == list(insurer.ABOUT)
    for row in rows:
        assert set(row) == KEYS
        assert row["ours"] > 0
        assert row["limit"] > 0
        assert row["unit"] in ("1/s", "MB", "ms")
    assert [one.name for one in apart] == ["coverage_10m_http", "changes_cursor"]


@long_run
def test_every_row_of_a_city_is_measured_and_again_on_the_city_that_was_kept(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder: Path = tmp_path_factory.mktemp("city")
    told = Console(file=io.StringIO(), width=200)
    with insurer.place_in(folder) as place:
        first = city.measure(place, SMALL, told)
        again = city.measure(place, SMALL, told)
    for rows in (first, again):
        assert [row["name"] for row in rows] == list(city.ABOUT)
        for row in rows:
            assert set(row) == KEYS
            assert row["ours"] > 0
            assert row["limit"] > 0
            assert row["unit"] == "1/s"
