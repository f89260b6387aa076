import pytest

from carbox.simulator.shell import masked
from tests.carbox.simulator.rig import PREFIX, bench


@pytest.mark.parametrize(
    ("profile", "line", "answer"),
    [
        ("DEMO", "unlock 4711", "Vehicle unlocked"),
        ("DEMO", "lock 4711", "Vehicle locked"),
        ("DEMO", "unl 4711", "Vehicle unlocked"),
        ("DEMO", "un 4711", "Unrecognised command"),
        ("DEMO", "unlock", "Usage: unlock <pin>"),
        ("DEMO", "unlock 0000", "Error: vehicle could not be unlocked"),
        ("DEMO", "valet 4711", "Vehicle valet mode activated"),
        ("DEMO", "unvalet 4711", "Vehicle valet mode deactivated"),
        ("DEMO", "valet 1", "Error: vehicle could not activate valet mode"),
        ("DEMO", "unvalet 1", "Error: vehicle could not deactivate valet mode"),
        ("SQ", "valet 4711", "Error: Vehicle valet functionality not available"),
        ("DEMO", "wakeup", "Vehicle has been woken"),
        ("MI", "wakeup", "Error: Vehicle wake functionality not available"),
        ("DEMO", "homelink 1", "Homelink #1 activated"),
        ("DEMO", "homelink 3 500", "Homelink #3 activated"),
        ("DEMO", "homelink 4", "Usage: homelink <homelink> [<durationms>]"),
        ("DEMO", "homelink 1 50", "Usage: homelink <homelink> [<durationms>]"),
        ("ZOE2", "homelink 1", "Error: Homelink functionality not available"),
        ("DEMO", "charge start", "Error: Could not start charge"),
        ("DEMO", "charge stop", "Error: Could not stop charge"),
        ("DEMO", "charge current 16", "Charge current limit set to 16A"),
        ("DEMO", "charge current x", "Error: Could not set charge current limit to xA"),
        ("DEMO", "charge mode range", "Charge mode 'range' set"),
        ("DEMO", "charge mode fast", "Error: Could not set charge mode"),
        ("DEMO", "ch cu 16", "Charge current limit set to 16A"),
        ("DEMO", "charge", "Subcommand required"),
        ("DEMO", "climatecontrol of", "Climate Control off"),
        ("DEMO", "climatecontrol", "Subcommand required"),
        ("MI", "egpio input 6", "EGPIO port 6 has input level 1"),
        ("MI", "egpio input 12", "Error: Port should be in range 0..9"),
        ("MI", "egpio output 7 1", "EGPIO port 7 set to output level 1"),
        ("MI", "egpio pulse 4 7 5", "Error: Level should be 0 or 1"),
        ("DEMO", "egpio monitor off 6", "EGPIO port 6 monitoring off"),
        ("DEMO", "config set password pin 1234", "Parameter has been set."),
        ("DEMO", "config", "Usage: config set <param> <instance> <value>"),
        ("DEMO", "server", "Subcommand required"),
        ("DEMO", "nonsense", "Unrecognised command"),
        ("NONE", "unlock 4711", "Error: No vehicle module selected"),
        ("NONE", "stat", "Error: No vehicle module selected"),
        ("NONE", "egpio output 7 1", "EGPIO port 7 set to output level 1"),
    ],
)
def test_the_shell_says_the_firmwares_words(profile: str, line: str, answer: str) -> None:
    assert bench(profile).said(line) == answer


def test_a_newline_separates_commands() -> None:
    assert bench().said("wakeup\nunlock 4711\r\n") == "Vehicle has been woken\nVehicle unlocked"


def test_an_answer_ends_with_a_newline() -> None:
    answer = next(one for one in bench().send("wakeup") if "/response/" in one.topic)
    assert (answer.topic, answer.payload, answer.qos, answer.retain) == (
        "client/c/response/1",
        "Vehicle has been woken\n",
        1,
        False,
    )


def test_without_a_pin_set_the_box_never_opens() -> None:
    assert bench(pin=None).said("unlock 4711") == "Error: vehicle could not be unlocked"
    assert bench(pin=None).said("unlock ****") == "Error: vehicle could not be unlocked"


def test_a_pin_that_is_set_by_command_is_the_pin() -> None:
    car = bench()
    car.said("config set password pin abcd")
    assert car.said("unlock 4711").startswith("Error")
    assert car.said("unlock abcd") == "Vehicle unlocked"


def test_a_line_is_cut_after_800_characters() -> None:
    assert bench().said("x" * 799 + "\nwakeup") == "Unrecognised command"


def test_a_pulse_has_three_lines_and_moves_the_wired_relay() -> None:
    car = bench("MI")
    assert car.said("egpio pulse 4 0 500").splitlines() == [
        "EGPIO port 4 set to output level 0",
        "EGPIO port 4 pulse 500 ms",
        "EGPIO port 4 set back to base level 1",
    ]
    assert car.box.car.locked is False


def test_the_box_is_busy_while_a_relay_is_pulsed() -> None:
    car = bench("MI")
    assert [one for one in car.send("egpio pulse 4 0 500") if "/response/" in one.topic] == []
    assert car.asked("v.b.soc") is None
    assert any("/response/" in one.topic for one in car.after(0.5))


def test_the_immobiliser_relay_keeps_the_car_still() -> None:
    car = bench("MI")
    car.said("egpio output 7 1")
    assert car.box.car.immobilised
    car.said("egpio output 7 0")
    assert not car.box.car.immobilised


def test_stat_of_a_resting_car_begins_with_the_charge() -> None:
    assert bench().said("stat").splitlines() == [
        "Not charging",
        "SOC: 80.0%",
        "Ideal range: 365km",
        "Est. range: 304km",
        "ODO: 41940.5km",
        "SOH: 93%",
    ]


def test_stat_of_a_charging_car_says_how_fast_and_how_long() -> None:
    car = bench()
    car.do("plug", plugged=True)
    assert car.said("stat").splitlines()[:4] == [
        "Standard - Charging",
        "230V/32A",
        "Full: 1:38h",
        "Charged: 0.0kWh",
    ]


def test_the_log_never_shows_a_pin() -> None:
    assert masked("unl 4711") == "unl ****"
    assert masked("egpio pulse 4 0 500") == "egpio pulse 4 0 500"
    car = bench()
    car.said("unlock 4711")
    assert [entry["line"] for entry in car.box.log] == ["unlock ****"]
    car.send("wakeup\nunlock 4711")
    car.send("config set password pin 4711")
    car.box.hear(f"{PREFIX}client/c/request/config", "password/pin")
    assert [one.payload for one in car.told()] == ["4711"]
    assert not [line for line in car.box.recent if "4711" in line]
    assert not [entry for entry in car.box.log if "4711" in entry["line"]]
