import contextlib

import pytest

from carbox.simulator.process import ControlRefused, Simulator
from tests.carbox.box_rig import Cast, eventually


def test_the_car_charges_drives_and_refuses_what_cannot_be(cast: Cast, simulator: Simulator) -> None:
    name = cast.box().address.username
    for verb, body in (("doors", {"fl": "open"}), ("drive", {"km": 10_000})):
        with pytest.raises(ControlRefused, match="409"):
            simulator.move(name, verb, **body)
    simulator.move(name, "battery", percent=50)
    assert simulator.move(name, "plug", plugged=True)["car"]["charging"] is True
    assert simulator.move(name, "pass", minutes=60)["car"]["percent"] > 50
    with pytest.raises(ControlRefused, match="409"):
        simulator.move(name, "ignition", on=True)
    simulator.move(name, "plug", plugged=False)
    assert simulator.move(name, "ignition", on=True)["car"]["on"] is True
    simulator.move(name, "position", latitude=52.5, longitude=13.4)
    simulator.move(name, "lock", locked=False)
    assert simulator.move(name, "doors", trunk="open")["car"]["open_doors"] == ["trunk"]


def test_the_control_port_says_what_it_does_not_know(cast: Cast, simulator: Simulator) -> None:
    name = cast.box().address.username
    for path, status in (
        (f"boxes/{name}/fly", 404),
        ("boxes/nobody/drive", 404),
        (f"boxes/{name}/drive", 422),
    ):
        with pytest.raises(ControlRefused, match=str(status)):
            simulator.call("POST", path)
    with pytest.raises(ControlRefused, match="422"):
        simulator.fault(name, "bored")
    assert name in simulator.call("GET", "state")
    simulator.remove(name)
    assert name not in simulator.call("GET", "boxes")


def test_a_box_with_a_wrong_password_stays_away_until_it_is_set_up_again(simulator: Simulator) -> None:
    with contextlib.suppress(ControlRefused):
        simulator.call("POST", "boxes", username="box60", password="wrong")
    eventually(lambda: simulator.state("box60")["refused"])
    simulator.add("box60", "pw-box60")
    assert simulator.state("box60")["refused"] is False
