"""What only a real broker shows: the will, the session, QoS 2, a link that stalls, the command line."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from carbox.local_broker import LocalBroker
from carbox.simulator import do, simulate
from carbox.simulator.process import Simulator
from tests.carbox.box_rig import Cast, eventually


@dataclass
class Ear:
    """A client that hears all there is, the backend's account under a name of its own."""

    client: Client
    heard: list[tuple[str, str, int, bool]] = field(default_factory=list)
    listens: threading.Event = field(default_factory=threading.Event)

    def on_message(self, _client: Client, _user: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode(), message.qos, message.retain))

    def of(self, name: str, topic: str, after: tuple[str, str] | None = None) -> list[str]:
        """The payloads heard live on a topic of this box, of those after the first time that another said this."""
        tree = f"ovms/{name}/CAR/"
        live = [
            (heard.removeprefix(tree), text) for heard, text, _qos, retained in self.heard if not retained
        ]
        since = live.index((after[0], after[1])) if after else 0
        return [text for heard, text in live[since:] if heard == topic]


@pytest.fixture(scope="module")
def ear(broker: LocalBroker) -> Iterator[Ear]:
    client = Client(CallbackAPIVersion.VERSION2, client_id="ear")
    found = Ear(client)
    client.username_pw_set("backend", "pw-backend")
    client.on_message = found.on_message
    client.on_subscribe = lambda *_: found.listens.set()
    client.connect("127.0.0.1", broker.port)
    client.subscribe([(f"ovms/+/+/{kind}/#", 2) for kind in ("metric", "event", "notify")])
    client.subscribe("ovms/+/+/client/+/response/#", 2)
    client.loop_start()
    assert found.listens.wait(5)
    yield found
    client.disconnect()
    client.loop_stop()


def send(ear: Ear, name: str, command: str, line: str) -> None:
    ear.client.publish(f"ovms/{name}/CAR/client/glovebox/command/{command}", line)


def test_a_box_that_crashes_while_unlocking_leaves_its_will_and_comes_back(
    cast: Cast, simulator: Simulator, ear: Ear
) -> None:
    name = cast.box().address.username
    simulator.fault(name, "crash", seconds=0.1, times=1)
    send(ear, name, "crash", "unlock 4711")
    eventually(lambda: "no" in ear.of(name, "metric/s/v3/connected"))
    eventually(lambda: ear.of(name, "metric/s/v3/connected")[-1] == "yes")
    assert simulator.state(name)["car"]["locked"] is False
    assert ear.of(name, "client/glovebox/response/crash") == []
    send(ear, name, "after", "lock 4711")
    eventually(lambda: ear.of(name, "client/glovebox/response/after") == ["Vehicle locked\n"])


def test_a_stalled_link_gives_no_will_and_what_was_on_its_way_arrives(
    cast: Cast, simulator: Simulator, ear: Ear
) -> None:
    name = cast.box().address.username
    simulator.fault(name, "frozen")
    send(ear, name, "stalled", "unlock 4711")
    state = simulator.move(name, "keys", in_glove_box=False)
    assert (state["line"], state["connected"], state["car"]["locked"]) == ("stalled", True, True)
    simulator.fault(name, "none")
    eventually(lambda: ear.of(name, "client/glovebox/response/stalled") == ["Vehicle unlocked\n"])
    assert "no" not in ear.of(name, "metric/s/v3/connected")
    assert simulator.state(name)["car"]["locked"] is False


def test_a_car_in_a_garage_is_heard_again_outside(cast: Cast, simulator: Simulator, ear: Ear) -> None:
    name = cast.box().address.username
    simulator.move(name, "garage", inside=True)
    simulator.move(name, "battery", percent=33)
    assert "33" not in ear.of(name, "metric/v/b/soc")
    simulator.move(name, "garage", inside=False)
    eventually(lambda: "33" in ear.of(name, "metric/v/b/soc"))


def test_history_arrives_exactly_once_and_in_order(cast: Cast, simulator: Simulator, ear: Ear) -> None:
    name = cast.box().address.username
    for km in (1, 2, 3):
        simulator.move(name, "drive", km=km)
    prefix = f"ovms/{name}/CAR/notify/data/log/trip/"

    def records() -> list[tuple[str, int]]:
        found = [(topic.removeprefix(prefix), qos) for topic, _, qos, _ in ear.heard if prefix in topic]
        return [(topic.split("/")[0], qos) for topic, qos in found]

    eventually(lambda: len(records()) >= 3)
    assert records() == [("1", 2), ("2", 2), ("3", 2)]


def test_a_rebooted_box_tells_old_readings_as_if_they_were_new(
    cast: Cast, simulator: Simulator, ear: Ear
) -> None:
    name = cast.box().address.username
    simulator.move(name, "reboot", seconds=0.5)
    simulator.move(name, "lock", locked=False)
    eventually(lambda: "no" in ear.of(name, "metric/s/v3/connected"))
    eventually(lambda: ear.of(name, "metric/v/e/locked", after=("metric/s/v3/connected", "no")))
    assert ear.of(name, "metric/v/e/locked")[-1] == "yes"
    assert simulator.state(name)["car"]["locked"] is False


def test_the_command_line_moves_a_car_of_a_running_simulator(
    cast: Cast, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    name = cast.box().address.username
    port = [f"--control-port={simulator.control_port}"]
    assert do.main([*port, name, "ignition", "on"]) == 0
    assert json.loads(capsys.readouterr().out)["car"]["on"] is True
    assert do.main([*port, name, "park"]) == 0
    assert do.main([*port, name, "state"]) == 0
    assert do.main([*port, name, "log"]) == 0
    assert do.main([*port, name, "doors", "fl=open"]) == 1
    assert do.main([*port, "nobody", "park"]) == 1
    assert "the car is locked" in capsys.readouterr().err


def test_the_view_opens_its_car_through_a_broker_of_its_own() -> None:
    with simulate.started("ZOE2", 0.02, 0) as (hand, where):
        eventually(lambda: hand.box.state()["connected"])
        hand.press("u")
        eventually(lambda: hand.box.state()["car"]["locked"] is False)
        hand.press("d")
        hand.press("?")
        assert hand.box.state()["car"]["open_doors"] == ["fl"]
        hand.press("d")
        hand.press("l")
        eventually(lambda: hand.box.state()["car"]["locked"] is True)
        hand.press("d")
        assert hand.said == "driver's door: the car is locked"
        assert "control port" in where
