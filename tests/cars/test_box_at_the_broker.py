"""What boxlink writes and a real Mosquitto makes of it: who gets in, who is thrown out, and when."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.boxlink import BoxLink
from app.cars import box as boxes
from app.doors import Doors
from app.factory import create_app
from app.kit.db import dispose
from carbox.box import BoxListener
from carbox.broker_accounts import TlsListener, password_hash
from carbox.broker_certificates import write_certificates
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress, let_in
from carbox.ovms import OvmsBoxes
from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.clock import HastenedClock
from insurance.partners import partners_of
from tests import factories
from tests.carbox.box_rig import eventually, free_port, real_time
from tests.cars.street import BOX
from tests.communities.circle import Voice

CUT_WITHIN_S = 2.0


class Street:
    """The API, boxlink as it runs, its broker, and boxes that are set up with the lines shown to their owner.

    boxlink and the boxes speak TLS, with an authority of our own.
    """

    def __init__(self, app: Flask, port: int, folder: Path) -> None:
        self.app, self.port, self._folder = app, port, folder
        self.boxes: list[SimBox] = []

    def pair(self, olga: Voice) -> tuple[str, dict[str, Any]]:
        """A car of Olga's and the credentials of its box."""
        car = factories.car(olga.person).id
        given: dict[str, Any] = self.asks(olga, "PUT", f"/cars/{car}/box", BOX)["credentials"]
        return car, given

    def asks(self, who: Voice, method: str, path: str, body: Any = None, want: int = 200) -> Any:
        return dataclasses.replace(who, house=self.app)(method, path, body, want=want)

    def set_up(self, given: dict[str, Any]) -> SimBox:
        """A box in which the lines were entered."""
        words = [line.split() for line in given["config_lines"]]
        told = {f"{one[2]}/{one[3]}": one[4] for one in words if one[:2] == ["config", "set"]}
        settings = BoxSettings(
            told["server.v3/server"],
            int(told["server.v3/port"]),
            told["server.v3/user"],
            told["password/server.v3"],
            vehicle=told["vehicle/id"],
            client_id=told["vehicle/id"],
            config=told,
            ca_file=self._trusted(given),
        )
        made = SimBox(settings, HastenedClock(0.02))
        made.start()
        self.boxes.append(made)
        eventually(lambda: made.connected)
        return made

    def _trusted(self, given: dict[str, Any]) -> str:
        """The box's trust list, a file as the lines append to it."""
        file = self._folder / f"{given['username']}.pem"
        lines = [line.split('"')[1] for line in given["config_lines"] if line.startswith("vfs append")]
        file.write_text("".join(f"{line}\n" for line in lines))
        return str(file)

    def knows(self, username: str, password: str) -> bool:
        return let_in(BrokerAddress("127.0.0.1", self.port, username, password))


@pytest.fixture(scope="module")
def street(house: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("broker")
    hashes = {"glovebox": password_hash("backend")}
    write_certificates(folder, ["127.0.0.1"], real_time())
    tls = TlsListener(free_port(), str(folder / "server.pem"), str(folder / "server.key"), "127.0.0.1")
    broker = LocalBroker(folder, free_port(), backend="glovebox", hashes=hashes, tls=tls)
    broker.start()
    settings = dataclasses.replace(
        house.extensions["glovebox"].settings,
        mqtt_port=tls.port,
        mqtt_ca_file=str(folder / "ca.pem"),
        mqtt_public_port=tls.port,
        mqtt_public_tls=True,
        mqtt_public_ca=(folder / "ca.pem").read_text().strip(),
        mqtt_password="backend",
        mqtt_accounts_dir=str(folder),
        mqtt_pid_file=str(folder / "mosquitto.pid"),
    )
    app = create_app(settings, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))
    address = BrokerAddress("127.0.0.1", tls.port, "glovebox", "backend", ca_file=settings.mqtt_ca_file)

    def door(listener: BoxListener, client_id: str) -> OvmsBoxes:
        return OvmsBoxes(dataclasses.replace(address, client_id=client_id), listener, real_time)

    link = BoxLink(app, settings, door)
    thread = threading.Thread(target=link.run)
    thread.start()
    made = Street(app, broker.port, folder)
    yield made
    for box in made.boxes:
        box.stop()
    link.stop()
    thread.join(10)
    broker.stop()
    with app.app_context():
        dispose()


def test_an_account_is_live_at_the_broker_when_it_is_shown(street: Street, olga: Voice) -> None:
    _, given = street.pair(olga)
    assert street.knows(given["username"], given["password"])
    assert street.set_up(given).connected


def test_a_box_moves_to_its_new_account_without_being_refused_once(street: Street, olga: Voice) -> None:
    car, given = street.pair(olga)
    box = street.set_up(given)
    new = street.asks(olga, "POST", f"/cars/{car}/box/rotate")["credentials"]
    assert street.knows(new["username"], new["password"])
    assert (box.connected, box.refused) == (True, False)
    moved = street.set_up(new)
    eventually(lambda: street.asks(olga, "GET", f"/cars/{car}/box")["next_username"] is None)
    eventually(lambda: not street.knows(given["username"], given["password"]), CUT_WITHIN_S)
    box.stop()
    assert (moved.connected, moved.refused) == (True, False)
    assert street.knows(new["username"], new["password"])


def test_an_old_account_that_is_cut_loses_its_connection(street: Street, olga: Voice) -> None:
    car, given = street.pair(olga)
    box = street.set_up(given)
    street.asks(olga, "POST", f"/cars/{car}/box/rotate?old=cut")
    eventually(lambda: not box.connected, CUT_WITHIN_S)
    assert not street.knows(given["username"], given["password"])


@pytest.mark.parametrize(("method", "path", "status"), [("DELETE", "box", 204), ("POST", "stolen", 200)])
def test_a_box_that_is_cut_loses_its_connection(
    street: Street, olga: Voice, method: str, path: str, status: int
) -> None:
    car, given = street.pair(olga)
    box = street.set_up(given)
    street.asks(olga, method, f"/cars/{car}/{path}", want=status)
    eventually(lambda: not box.connected, CUT_WITHIN_S)
    box.try_again()
    eventually(lambda: box.refused)
    assert given["username"] not in boxes.accounts()
