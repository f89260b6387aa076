"""A broker, a simulator process and the driver, as the product wires them."""

from collections.abc import Iterator

import pytest

from carbox.broker_accounts import password_hash
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress
from carbox.ovms import OvmsBoxes
from carbox.simulator.process import Simulator, running
from tests.carbox.box_rig import NAMES, Cast, Told, eventually, free_port, real_time


@pytest.fixture(scope="session")
def hashes() -> dict[str, str]:
    return {name: password_hash(f"pw-{name}") for name in NAMES}


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, hashes: dict[str, str]) -> Iterator[LocalBroker]:
    local = LocalBroker(tmp_path_factory.mktemp("broker"), free_port(), backend="backend", hashes=hashes)
    local.start()
    yield local
    local.stop()


@pytest.fixture(scope="session")
def simulator(broker: LocalBroker) -> Iterator[Simulator]:
    with running(broker.port, pace=0.02) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def told() -> Told:
    return Told()


@pytest.fixture(scope="session")
def driver(broker: LocalBroker, told: Told) -> Iterator[OvmsBoxes]:
    boxes = OvmsBoxes(BrokerAddress("127.0.0.1", broker.port, "backend", "pw-backend"), told, real_time)
    boxes.start()
    eventually(lambda: boxes.up)
    yield boxes
    boxes.stop()


@pytest.fixture
def hasty(broker: LocalBroker, told: Told) -> Iterator[OvmsBoxes]:
    """One that waits a second for a sign of life, not three."""
    address = BrokerAddress("127.0.0.1", broker.port, "backend", "pw-backend", client_id="hasty")
    boxes = OvmsBoxes(address, told, real_time, alive_within_s=1)
    boxes.start()
    eventually(lambda: boxes.up)
    yield boxes
    boxes.stop()


@pytest.fixture(scope="session")
def everybody(simulator: Simulator) -> Cast:
    return Cast(simulator)


@pytest.fixture
def cast(everybody: Cast) -> Iterator[Cast]:
    yield everybody
    everybody.leave()
