import pytest

from carbox.box import (
    AnswerKind,
    BadCommand,
    Command,
    CommandKind,
    DoorHow,
    DoorWiring,
    KeySensor,
    Pulse,
    Value,
)
from carbox.ovms_commands import classified, command_line, goal, masked
from carbox.ovms_metrics import derived, metrics_of, normalised

WIRED = DoorWiring(pin="4711")
RELAYS = DoorWiring(how=DoorHow.EGPIO_PULSE, unlock=Pulse(4, 0, 500), lock=Pulse(5))


@pytest.mark.parametrize(
    ("command", "wiring", "line"),
    [
        (Command(CommandKind.UNLOCK), WIRED, "unlock 4711"),
        (Command(CommandKind.LOCK), WIRED, "lock 4711"),
        (Command(CommandKind.UNLOCK), RELAYS, "egpio pulse 4 0 500"),
        (Command(CommandKind.LOCK), RELAYS, "egpio pulse 5 1 500"),
        (Command(CommandKind.WAKEUP), RELAYS, "wakeup"),
        (Command(CommandKind.CHARGE_START), WIRED, "charge start"),
        (Command(CommandKind.CHARGE_STOP), WIRED, "charge stop"),
        (Command(CommandKind.CHARGE_LIMIT, amps=16), WIRED, "charge current 16"),
        (Command(CommandKind.CLIMATE, on=True), WIRED, "climatecontrol on"),
        (Command(CommandKind.CLIMATE, on=False), WIRED, "climatecontrol off"),
        (Command(CommandKind.VALET, on=True), WIRED, "valet 4711"),
        (Command(CommandKind.VALET, on=False), WIRED, "unvalet 4711"),
    ],
)
def test_each_command_has_its_one_line(command: Command, wiring: DoorWiring, line: str) -> None:
    assert command_line(command, wiring) == line


@pytest.mark.parametrize(
    "pin", [None, "", "123", "12 34", "1234\n", "1234\nlock", "1234\r", "a" * 17, "4711;x", "١٢٣٤", "47é1"]
)
def test_a_pin_that_could_be_more_than_a_pin_is_refused(pin: str | None) -> None:
    with pytest.raises(BadCommand):
        command_line(Command(CommandKind.UNLOCK), DoorWiring(pin=pin))


@pytest.mark.parametrize(
    "pulse", [None, Pulse(10), Pulse(-1), Pulse(1, 2), Pulse(1, 1, 0), Pulse(1, 1, 10_001)]
)
def test_a_relay_that_cannot_be_is_refused(pulse: Pulse | None) -> None:
    wiring = DoorWiring(how=DoorHow.EGPIO_PULSE, unlock=pulse)
    with pytest.raises(BadCommand):
        command_line(Command(CommandKind.UNLOCK), wiring)


@pytest.mark.parametrize(
    "command",
    [
        Command(CommandKind.CHARGE_LIMIT),
        Command(CommandKind.CHARGE_LIMIT, amps=5),
        Command(CommandKind.CHARGE_LIMIT, amps=81),
        Command(CommandKind.CLIMATE),
        Command(CommandKind.VALET),
        Command(CommandKind.PING),
    ],
)
def test_a_command_without_its_number_is_refused(command: Command) -> None:
    with pytest.raises(BadCommand):
        command_line(command, WIRED)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Vehicle unlocked\n", AnswerKind.CONFIRMED),
        ("Vehicle locked\n", AnswerKind.CONFIRMED),
        ("Vehicle has been woken\n", AnswerKind.CONFIRMED),
        ("Vehicle valet mode activated\n", AnswerKind.CONFIRMED),
        ("Vehicle valet mode deactivated\n", AnswerKind.CONFIRMED),
        ("Charge has been started\n", AnswerKind.CONFIRMED),
        ("Charge has been stopped\n", AnswerKind.CONFIRMED),
        ("Charge current limit set to 16A\n", AnswerKind.CONFIRMED),
        ("one\ntwo\nEGPIO port 4 set back to base level 1\n", AnswerKind.CONFIRMED),
        ("Error: vehicle could not be unlocked\n", AnswerKind.REFUSED),
        ("Error: Vehicle unlock functionality not available\n", AnswerKind.REFUSED),
        ("ERROR: anything\n", AnswerKind.REFUSED),
        ("Vehicle locked\nError: and then not\n", AnswerKind.REFUSED),
        ("Error: Port should be in range 0..9\n", AnswerKind.REFUSED),
        ("Error: No vehicle module selected\n", AnswerKind.REFUSED),
        ("Unrecognised command\n", AnswerKind.REFUSED),
        ("Usage: unlock <pin>\n", AnswerKind.REFUSED),
        ("Subcommand required\n", AnswerKind.REFUSED),
        ("", AnswerKind.SILENT),
        ("Vehicle unlocked, perhaps\n", AnswerKind.SILENT),
        ("Climate something\n", AnswerKind.SILENT),
    ],
)
def test_answers_are_told_apart_by_their_words(text: str, kind: AnswerKind) -> None:
    assert classified(text) is kind


def test_the_pin_is_never_shown() -> None:
    assert masked("unlock 4711\n", WIRED) == "unlock ****"
    assert "4711" not in repr(WIRED)


def test_commands_without_a_visible_effect_have_no_goal() -> None:
    assert goal(Command(CommandKind.CLIMATE, on=True)) is None
    assert goal(Command(CommandKind.VALET, on=False)) == ("valet", False)


@pytest.mark.parametrize(
    ("metric", "text", "reading"),
    [
        ("v.b.soc", "83.5", ("charge_percent", 83.5)),
        ("v.b.soc", "101", None),
        ("v.b.soc", "nan", None),
        ("v.b.range.est", "91", ("range_km", 91.0)),
        ("v.p.odometer", "1e+06", ("odometer_km", 1_000_000.0)),
        ("v.p.odometer", "inf", None),
        ("v.e.locked", "yes", ("locked", True)),
        ("v.e.locked", "no", ("locked", False)),
        ("v.e.locked", "", None),
        ("v.e.on", "no", ("drivable", False)),
        ("v.d.trunk", "yes", ("trunk", True)),
        ("v.p.latitude", "48.137154", ("latitude", 48.137154)),
        ("v.p.latitude", "91", None),
        ("v.b.12v.voltage", "12.6", ("battery_12v", 12.6)),
        ("v.c.state", "prepare", ("charge_state", "preparing")),
        ("v.c.state", "preparing", ("charge_state", "preparing")),
        ("v.c.type", "type2", ("charge_type", "type2")),
        ("v.c.type", "Standard", ("charge_type", "type1")),
        ("v.c.type", "Quickcharge", ("charge_type", "chademo")),
        ("v.c.type", "None", None),
        ("v.c.type", "undefined", None),
        ("v.c.mode", "CHAdeMO", ("charge_mode", "quick")),
        ("v.c.mode", "Type1", ("charge_mode", "standard")),
        ("v.c.mode", "Balancing", ("charge_mode", "balancing")),
        ("v.t.pressure", "206.8,216.4,210,212.2", ("tyre_kpa", (206.8, 216.4, 210.0, 212.2))),
        ("v.t.pressure", "a,b", None),
        ("m.egpio.input", "0,1,6", ("inputs_high", (0.0, 1.0, 6.0))),
        ("m.egpio.input", "", ("inputs_high", ())),
        ("s.v3.connected", "no", ("connected", False)),
        ("m.time.utc", "1786000000", None),
        ("x.unknown", "1", None),
    ],
)
def test_metrics_get_our_names_and_units(metric: str, text: str, reading: tuple[str, Value] | None) -> None:
    assert normalised(metric, text) == reading


@pytest.mark.parametrize(
    ("values", "plugged"),
    [
        ({"pilot": True}, True),
        ({"pilot": False, "charge_port_open": True}, False),
        ({"charge_port_open": True}, True),
    ],
)
def test_plugged_is_the_pilot_or_else_the_port(values: dict[str, Value], *, plugged: bool) -> None:
    assert dict(derived("pilot", values, None)) == {"plugged": plugged}


@pytest.mark.parametrize(("level", "high", "there"), [(1, True, True), (1, False, False), (0, False, True)])
def test_the_keys_are_where_their_sensor_says(level: int, *, high: bool, there: bool) -> None:
    wiring = DoorWiring(key_sensor=KeySensor(4, level))
    inputs: dict[str, Value] = {"inputs_high": (4.0,) if high else ()}
    assert dict(derived("inputs_high", inputs, wiring)) == {"keys_in_glove_box": there}


def test_without_a_key_sensor_nothing_is_said_about_keys() -> None:
    assert dict(derived("inputs_high", {"inputs_high": (4.0,)}, DoorWiring())) == {}


def test_derived_readings_are_asked_for_by_their_metrics() -> None:
    assert (
        metrics_of(("locked", "plugged", "keys_in_glove_box")) == "v.e.locked,v.c.pilot,v.d.cp,m.egpio.input"
    )
