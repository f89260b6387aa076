import ast
import contextlib
from pathlib import Path

import pytest

import carbox
from carbox.box import BoxListener, CarBox
from carbox.ovms import OvmsBoxes
from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.car import Car
from carbox.simulator.metrics import metrics, spelled
from carbox.simulator.process import ControlRefused, Simulator
from carbox.simulator.profiles import PROFILES
from carbox.simulator.shell import Shell, masked
from tests.carbox.box_rig import Cast, eventually

PACKAGE = Path(carbox.__file__).parent


def shell(profile: str = "DEMO", pin: str | None = "4711") -> Shell:
    return Shell(Car(PROFILES[profile], "VIN"), pin, pace=0.001)


@pytest.mark.parametrize(
    ("profile", "line", "answer"),
    [
        ("DEMO", "unlock 4711", "Vehicle unlocked"),
        ("DEMO", "lock 4711", "Vehicle locked"),
        ("DEMO", "unl 4711", "Vehicle unlocked"),
        ("DEMO", "un 4711", "Unrecognised command"),
        ("DEMO", "unlock", "Usage: unlock <pin>"),
        ("DEMO", "unlock 0000", "Error: vehicle could not be unlocked"),
        ("SQ", "unlock 0000", "Vehicle unlocked"),
        ("SE", "lock x", "Vehicle locked"),
        ("MI", "unlock 4711", "Error: Vehicle unlock functionality not available"),
        ("MI", "lock 4711", "Error: Vehicle lock functionality not available"),
        ("DEMO", "valet 4711", "Vehicle valet mode activated"),
        ("DEMO", "unvalet 4711", "Vehicle valet mode deactivated"),
        ("DEMO", "valet 1", "Error: vehicle could not activate valet mode"),
        ("SQ", "valet 4711", "Error: Vehicle valet functionality not available"),
        ("DEMO", "wakeup", "Vehicle has been woken"),
        ("DEMO", "homelink 1", "Error: Homelink functionality not available"),
        ("DEMO", "charge start", "Error: Could not start charge"),
        ("DEMO", "charge current 16", "Charge current limit set to 16A"),
        ("DEMO", "charge mode range", "Charge mode 'range' set"),
        ("DEMO", "charge mode fast", "Error: Could not set charge mode"),
        ("DEMO", "charge", "Subcommand required"),
        ("MI", "charge start", "Error: Charge start functionality not available"),
        ("MI", "egpio input 6", "EGPIO port 6 has input level 1"),
        ("MI", "egpio input 12", "Error: Port should be in range 0..9"),
        ("MI", "egpio output 7 1", "EGPIO port 7 set to output level 1"),
        ("MI", "egpio pulse 4 7 5", "Error: Level should be 0 or 1"),
        ("DEMO", "nonsense", "Unrecognised command"),
    ],
)
def test_the_shell_says_the_firmwares_words(profile: str, line: str, answer: str) -> None:
    assert shell(profile).run(line) == f"{answer}\n"


def test_a_newline_separates_commands() -> None:
    assert shell().run("wakeup\nunlock 4711\r\n") == "Vehicle has been woken\nVehicle unlocked\n"


def test_without_a_pin_set_the_box_never_opens() -> None:
    assert shell(pin=None).run("unlock 4711").startswith("Error")


def test_a_second_door_command_within_the_cool_down_fails() -> None:
    box = Shell(Car(PROFILES["SQ"], "VIN"), None)
    assert box.run("unlock 1") == "Vehicle unlocked\n"
    assert box.run("lock 1") == "Error: vehicle could not be locked\n"


def test_a_pulse_has_three_lines_and_moves_the_wired_relay() -> None:
    box = shell("MI")
    assert box.run("egpio pulse 4 0 5").splitlines()[-1] == "EGPIO port 4 set back to base level 1"
    assert box.car.locked is False


def test_the_immobiliser_relay_keeps_the_car_still() -> None:
    box = shell("MI")
    box.run("egpio output 7 1")
    assert box.car.immobilised


def test_stat_begins_with_the_charge() -> None:
    assert shell().run("stat").splitlines()[:2] == ["Not charging", "SOC: 80.0%"]


def test_the_log_never_shows_a_pin() -> None:
    assert masked("unl 4711") == "unl ****"
    assert masked("egpio pulse 4 0 500") == "egpio pulse 4 0 500"


def test_numbers_have_six_digits() -> None:
    assert (spelled(41940.5), spelled(123456.7), spelled(1_000_000.0)) == ("41940.5", "123457", "1e+06")


def test_the_cars_differ_in_what_they_report() -> None:
    known = {name: metrics(Car(profile, "VIN")) for name, profile in PROFILES.items()}
    assert "v.d.hood" not in known["SQ"]
    assert "v.t.pressure" not in known["MI"]
    assert known["MI"]["v.c.type"] == "None"
    shared = Car(PROFILES["MI"], "VIN", locked=False, open_doors={"rl"})
    assert (metrics(shared)["v.d.trunk"], metrics(shared)["v.d.fl"]) == ("yes", "no")


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


def test_simulator_and_driver_share_no_code() -> None:
    words = {"carbox.box", "carbox.readings", "carbox.ovms", "carbox.mqtt_link", "carbox.ovms_commands"}
    for file in (PACKAGE / "simulator").glob("*.py"):
        assert not _imports(file) & words, file.name
    for file in PACKAGE.glob("*.py"):
        assert not {name for name in _imports(file) if name.startswith("carbox.simulator")}, file.name


def test_the_door_knows_libraries_only() -> None:
    ours = {"app", "payments", "insurance", "notifications", "flask", "sqlalchemy", "tests"}
    for file in PACKAGE.rglob("*.py"):
        assert not {name.split(".")[0] for name in _imports(file)} & ours, file.name


def test_the_driver_is_a_car_box() -> None:
    promised = {name for name in vars(CarBox) if not name.startswith("_")}
    assert promised <= set(dir(OvmsBoxes))
    assert BoxListener is not None
    assert "wrong" not in repr(BoxSettings("h", 1, "u", "wrong"))
    assert SimBox is not None


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
