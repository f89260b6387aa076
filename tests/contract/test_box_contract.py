"""What the car box door promises, kept by the OVMS driver for every kind of car, over a real broker."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from carbox.box import (
    LOCK_NAMES,
    AnswerKind,
    Box,
    BoxAddress,
    BoxUnreachable,
    BrokerDown,
    CarBox,
    Command,
    CommandKind,
    DoorHow,
    DoorWiring,
    Evidence,
    KeySensor,
    Pulse,
)
from carbox.broker_accounts import password_hash
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress
from carbox.ovms import OvmsBoxes
from carbox.simulator.process import Simulator, running

UNLOCK, LOCK = Command(CommandKind.UNLOCK), Command(CommandKind.LOCK)
KEYS = KeySensor(port=6)
NATIVE = DoorWiring(pin="4711", key_sensor=KEYS)
ECHO = DoorWiring(pin="4711", key_sensor=KEYS, optimistic_lock=True)
RELAYS = DoorWiring(DoorHow.EGPIO_PULSE, unlock=Pulse(4, ms=100), lock=Pulse(5, ms=100), key_sensor=KEYS)
CARS = {
    "DEMO": (NATIVE, Evidence.STRONG),
    "ZOE2": (NATIVE, Evidence.STRONG),
    "SQ": (ECHO, Evidence.WEAK),
    "SE": (ECHO, Evidence.WEAK),
    "MI": (RELAYS, Evidence.STRONG),
}


@dataclass
class World:
    broker: LocalBroker
    simulator: Simulator
    door: CarBox


def _real_time() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def _until_up(door: CarBox) -> None:
    ends = time.monotonic() + 10
    while not door.up:
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    hashes = {name: password_hash("secret") for name in ("backend", *CARS)}
    with ExitStack() as stack:
        broker = LocalBroker(tmp_path_factory.mktemp("contract"), port, backend="backend", hashes=hashes)
        broker.start()
        stack.callback(broker.stop)
        simulator = stack.enter_context(running(port, pace=0.01))
        for profile in CARS:
            simulator.add(profile, "secret", profile=profile)
        door = OvmsBoxes(BrokerAddress("127.0.0.1", port, "backend", "secret"), None, _real_time)
        door.start()
        stack.callback(door.stop)
        _until_up(door)
        yield World(broker, simulator, door)


@pytest.fixture(params=CARS)
def car(request: pytest.FixtureRequest, world: World) -> Iterator[Box]:
    name = str(request.param)
    world.simulator.fault(name, "none")
    if world.simulator.state(name)["car"]["locked"] is False:
        world.simulator.move(name, "lock", locked=True)
    time.sleep(0.11 if name == "SQ" else 0)  # its cool-down
    yield Box(BoxAddress(name, "CAR"), CARS[name][0])
    world.simulator.fault(name, "none")


def test_unlock_and_lock_are_answered_and_shown(world: World, car: Box) -> None:
    for command, locked in ((UNLOCK, False), (LOCK, True)):
        time.sleep(0.11 if car.address.username == "SQ" else 0)
        answer = world.door.send(car, command, command_id=uuid4().hex)
        assert (answer.kind, answer.effect, answer.dead) == (AnswerKind.CONFIRMED, True, True)
        assert answer.evidence is CARS[car.address.username][1]
        assert answer.state.flag("locked") is locked
        assert "4711" not in answer.sent
    assert {"keys_in_glove_box", "odometer_km", "drivable"} <= set(answer.state)
    assert all(reading.at is not None for reading in answer.state.values())


def test_a_refusal_changes_nothing(world: World, car: Box) -> None:
    world.simulator.fault(car.address.username, "refuse")
    answer = world.door.send(car, UNLOCK, command_id=uuid4().hex)
    assert (answer.kind, answer.effect, answer.dead) == (AnswerKind.REFUSED, False, True)
    assert world.simulator.state(car.address.username)["car"]["locked"] is True


def test_a_lost_answer_is_not_sent_again(world: World, car: Box) -> None:
    name = car.address.username
    world.simulator.fault(name, "answer_lost")
    before = len(world.simulator.log(name))
    answer = world.door.send(car, UNLOCK, command_id=uuid4().hex, wait_s=0.4)
    assert (answer.kind, answer.effect, answer.dead) == (AnswerKind.SILENT, True, True)
    assert len(world.simulator.log(name)) == before + 1


def test_fresh_readings_are_asked_for_and_stamped(world: World, car: Box) -> None:
    asked_at = _real_time()
    state = world.door.fresh(car, LOCK_NAMES)
    assert state.flag("keys_in_glove_box") is True
    assert all(reading.received_at >= asked_at and not reading.retained for reading in state.values())


def test_an_absent_box_is_unreachable_and_gets_nothing(world: World, car: Box) -> None:
    nobody = Box(BoxAddress("nobody", "CAR"), car.wiring)
    assert world.door.alive(nobody, within_s=0.05) is False
    if car.address.username == "DEMO":
        with pytest.raises(BoxUnreachable):
            world.door.send(nobody, UNLOCK, command_id=uuid4().hex)


def test_a_broker_that_restarts_is_found_again(world: World) -> None:
    box = Box(BoxAddress("DEMO", "CAR"), NATIVE)
    assert world.door.alive(box)
    world.broker.stop()
    ends = time.monotonic() + 5
    while world.door.up and time.monotonic() < ends:
        time.sleep(0.01)
    with pytest.raises(BrokerDown):
        world.door.send(box, UNLOCK, command_id=uuid4().hex)
    world.broker.start()
    _until_up(world.door)
    ends = time.monotonic() + 10
    while not world.door.alive(box, within_s=0.2):
        assert time.monotonic() < ends
    assert world.door.send(box, UNLOCK, command_id=uuid4().hex).kind is AnswerKind.CONFIRMED


def test_nothing_is_written_to_disk_by_the_broker(world: World) -> None:
    folder = Path(world.broker._directory)
    assert {file.name for file in folder.iterdir()} <= {
        "acl",
        "passwords",
        "mosquitto.conf",
        "mosquitto.log",
        "mosquitto.pid",
    }
