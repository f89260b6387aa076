"""Rows of boxlink alone: how fast one process takes readings, and how much it holds for many boxes."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.boxlink import ingest as taking
from app.boxlink.inbox import Listener
from app.cars import readings
from app.doors import Doors
from app.factory import create_app
from app.kit import clock
from app.kit.config import from_environment
from app.kit.db import dispose
from app.kit.embedded_postgres import free_port
from app.supervisor import Supervisor
from bench.box_words import Talker, topics
from bench.load import quantile
from bench.seed import Seeded
from bench.turns import Row
from carbox.box import Box, BoxAddress, BoxState
from carbox.broker_accounts import new_password, password_hash
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress
from carbox.ovms import OvmsBoxes
from insurance.partners import partners_of

AIM_PER_S, AIM_MB = 5000.0, 600.0
UNDER_WAY = 600
"""So many messages at most are under way: a broker drops what is beyond a thousand for one client."""
_SPAWN = multiprocessing.get_context("spawn")


class Heard(Listener):
    """boxlink's listener, and how much it was told."""

    def __init__(self, count: Any) -> None:
        super().__init__()
        self.count = count
        self.stored: list[float] = []

    def on_reading(self, box: BoxAddress, delta: BoxState) -> None:
        super().on_reading(box, delta)
        self.count.value += 1

    def store(self, batch: dict[str, BoxState]) -> None:
        """As boxlink stores, noting how long the readings took from their arrival to the commit."""
        readings.take_all(batch)
        now = clock.real_now()
        self.stored += [
            (now - one.received_at).total_seconds() for state in batch.values() for one in state.values()
        ]


def ingest(place: Supervisor, seeded: Seeded) -> Row:
    """Readings a second from boxes through Mosquitto and the driver into PostgreSQL, by one process; p50 and p99 are
    milliseconds from the arrival of a reading to its commit.
    """
    names = [f"bench-{n}" for n in range(len(seeded.cars))]
    with _broker(names) as (address, password):
        count = _SPAWN.Value("Q", 0, lock=False)
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_take, args=(place.environment, address, names, count, theirs))
        process.start()
        ours.recv()
        talkers = [Talker(address.port, name, password) for name in names]
        took, said = _talk(talkers, count, seeded.scale.seconds)
        ours.send("stop")
        late: list[float] = ours.recv()
        process.join()
        for talker in talkers:
            talker.leave()
    return _row(
        "ingest", said / took, AIM_PER_S, "1/s", quantile(late, 0.5) * 1000, quantile(late, 0.99) * 1000
    )


def _talk(talkers: list[Talker], count: Any, seconds: float) -> tuple[float, int]:
    """As fast as they are heard; returns in how many seconds how many messages were. Raises RuntimeError for lost ones."""
    said, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        for talker in talkers:
            said += talker.say()
            while said - count.value > UNDER_WAY:
                time.sleep(0.001)
    ends = time.monotonic() + 10
    while count.value < said:
        if time.monotonic() > ends:
            raise RuntimeError(f"ingest: {said - count.value} of {said} readings were lost")
        time.sleep(0.001)
    return time.monotonic() - began, said


@contextmanager
def _broker(names: list[str]) -> Iterator[tuple[BrokerAddress, str]]:
    """A broker of its own, so that the place's boxlink hears nothing of it."""
    password = new_password()
    known = password_hash(password)
    with tempfile.TemporaryDirectory() as folder:
        broker = LocalBroker(
            Path(folder), free_port(), backend="glovebox", hashes=dict.fromkeys(["glovebox", *names], known)
        )
        broker.start()
        try:
            yield BrokerAddress("127.0.0.1", broker.port, "glovebox", password), password
        finally:
            broker.stop()


def _take(
    environment: dict[str, str], address: BrokerAddress, names: list[str], count: Any, pipe: Connection
) -> None:
    """A reading the way boxlink takes it, without its commands and accounts, until told to stop; sends how late it was."""
    app = create_app(
        from_environment(environment), Doors(partners_of([]), payments=None, push=None, mail=None)
    )
    heard, stop = Heard(count), threading.Event()
    door = OvmsBoxes(address, heard, clock.real_now)
    for name in names:
        door.watch(Box(BoxAddress(name, "v")))
    door.start()

    def keep_writing() -> None:
        with app.app_context():
            taking.keep_writing(heard.readings, stop, heard.store)
            dispose()

    thread = threading.Thread(target=keep_writing)
    thread.start()
    while not door.up or door._link._waiting or door._link._under_way:  # noqa: SLF001 - until it hears all of them
        time.sleep(0.01)
    pipe.send("up")
    pipe.recv()
    stop.set()
    thread.join()
    door.stop()
    pipe.send(heard.stored)


def memory(seeded: Seeded) -> Row:
    """MB of a process that knows `boxes` boxes with their usual readings, and has as much waiting for the database."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_hold, args=(seeded.scale.boxes, theirs))
    process.start()
    held: float = ours.recv()
    process.join()
    return _row("boxlink_memory", held, AIM_MB, "MB", 0.0, 0.0)


def _hold(boxes: int, pipe: Connection) -> None:
    listener = Listener()
    door = OvmsBoxes(BrokerAddress("127.0.0.1", 0, "glovebox", ""), listener, clock.real_now)
    for n in range(boxes):
        name = f"box-{n:016x}"
        door.watch(Box(BoxAddress(name, "v")))
        for topic, text in topics(name):
            door._arrived(topic, text, False)  # noqa: SLF001 - as from its link
    pipe.send(_resident_mb())


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _row(name: str, ours: float, limit: float, unit: str, p50: float, p99: float) -> Row:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": limit,
        "ratio": round(ours / limit, 3),
        "unit": unit,
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
    }
