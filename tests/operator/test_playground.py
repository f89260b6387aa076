"""Demo and tests keep off real databases, production off theirs; a silent part is not waited for, a stopped one is gone."""

import dataclasses
import os
import select
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.doors import Doors
from app.factory import create_app
from app.kit import playground
from app.kit.config import BadSettingsError, Mode
from app.kit.listen import conninfo
from app.supervisor import ROOT, Supervisor
from app.supervisor.part import Part, PartFailedError
from insurance.partners import partners_of
from tests.conftest import settings_for


@pytest.fixture
def empty(database: str) -> Iterator[str]:
    """A new database in the cluster of the test process."""
    name = f"empty_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(conninfo(database), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield f"{database.rpartition('/')[0]}/{name}"
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def real(empty: str) -> str:
    """One with tables of ours that no demo and no test has touched."""
    with psycopg.connect(conninfo(empty)) as connection:
        connection.execute("create table facts (seq bigint)")
        connection.execute("create table clock_offset (single bool primary key, milliseconds bigint)")
    return empty


def test_a_real_database_is_not_played_with(
    real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", real)
    place = Supervisor(tmp_path)
    with pytest.raises(PartFailedError, match="unset DATABASE_URL"):
        place.start()
    assert place.parts == {}


def test_a_marked_database_may_be_played_with(real: str) -> None:
    playground.mark(real)
    playground.mark(real)
    assert not playground.is_real(real)


def test_an_empty_database_is_nobodys(empty: str) -> None:
    assert not playground.is_real(empty)


def test_production_refuses_a_database_that_was_played_with(real: str) -> None:
    settings = dataclasses.replace(settings_for(real), mode=Mode.PRODUCTION)
    playground.refuse_played(settings)
    playground.mark(real)
    with pytest.raises(BadSettingsError, match="demo's or test's database"):
        playground.refuse_played(settings)
    playground.refuse_played(settings_for(real))


def test_a_database_that_is_away_keeps_no_process_from_starting() -> None:
    away = settings_for("postgresql+psycopg://nobody@127.0.0.1:1/none")
    playground.refuse_played(dataclasses.replace(away, mode=Mode.PRODUCTION))


def test_the_api_does_not_start_on_it(real: str, tmp_path: Path) -> None:
    playground.mark(real)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": real,
        "GLOVEBOX_SECRET_KEY": "A" * 44,
        "GLOVEBOX_PUBLIC_URL": "https://api.example.org",
        "GLOVEBOX_MQTT_PASSWORD": "x",
        "GLOVEBOX_MQTT_ACCOUNTS_DIR": str(tmp_path),
        "GLOVEBOX_MQTT_PID_FILE": str(tmp_path / "pid"),
        "GLOVEBOX_SMTP_HOST": "127.0.0.1",
        "GLOVEBOX_FIREBASE_CREDENTIALS": str(tmp_path / "firebase.json"),
    }
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "demo's or test's database" in done.stderr


@pytest.mark.parametrize("command", ["worker", "boxlink"])
def test_worker_and_boxlink_do_not_start_on_it(real: str, command: str) -> None:
    playground.mark(real)
    settings = dataclasses.replace(settings_for(real), mode=Mode.PRODUCTION)
    app = create_app(settings, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))
    done = app.test_cli_runner().invoke(args=[command])
    assert done.exit_code == 1
    assert "demo's or test's database" in done.output


def test_a_part_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    mute = Part("mute", process, tmp_path / "mute.log")
    try:
        with pytest.raises(PartFailedError, match="mute said nothing"):
            mute.await_ready(0.1)
    finally:
        mute.stop()
        assert process.stdin is not None
        process.stdin.close()


DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WITH_A_CHILD = """
import os, signal, time
if not os.fork():
    print("{}", flush=True)
elif %r == "gone":
    os._exit(0)
time.sleep(60)
"""


@pytest.mark.parametrize("parent", ["deaf", "gone"])
def test_a_part_that_does_not_end_by_itself_leaves_nobody_behind(parent: str, tmp_path: Path) -> None:
    script = (f"import signal; {DEAF}" if parent == "deaf" else "") + WITH_A_CHILD % parent
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    part = Part(parent, process, tmp_path / "part.log")
    part.await_ready()
    part.stop(within_s=0.1)
    assert process.stderr is not None
    with process.stderr as held_by_both:
        assert select.select([held_by_both], [], [], 5)[0], "a child still holds it"
        assert held_by_both.read() == ""
