import pytest

from carbox.simulator import do, verbs
from carbox.simulator.car import Impossible
from carbox.simulator.faults import FAULTS
from tests.carbox.simulator.rig import bench


def test_a_drive_moves_odometer_charge_and_position_together() -> None:
    car = bench()
    car.do("drive", km=38)
    known = car.box.car
    assert (known.odometer_km, known.trip_km) == (41978.5, 38)
    assert known.percent == pytest.approx(70)
    assert known.used_kwh == pytest.approx(6)
    assert known.latitude > 48.137154
    assert known.on is False


def test_a_drive_to_a_place_takes_its_time_and_can_be_ended_on_the_way() -> None:
    car = bench()
    car.do("drive_to", latitude=48.237154, longitude=11.576124, seconds=600)
    car.after(300)
    known = car.box.car
    assert known.latitude == pytest.approx(48.187154)
    assert known.trip_km == pytest.approx(5.56, abs=0.01)
    assert float(car.asked("v.p.speed") or 0) == pytest.approx(66.7, abs=0.1)
    assert (car.asked("v.e.gear"), car.asked("v.e.handbrake")) == ("1", "no")
    car.do("park")
    car.after(600)
    assert known.latitude == pytest.approx(48.187154)
    assert (known.on, car.asked("v.p.speed")) == (False, "0")


def test_a_drive_to_a_place_ends_there_and_the_car_stays_on() -> None:
    car = bench()
    car.do("drive_to", latitude=48.237154, longitude=11.576124, seconds=600)
    car.after(601)
    assert (car.box.car.latitude, car.box.car.on, car.box.car.journey) == (48.237154, True, None)


def test_seconds_are_those_of_whoever_watches() -> None:
    car = bench()
    car.clock.pace = 0.02
    car.do("fault", kind="slow", seconds=2)
    assert car.box.fault.seconds == 100
    car.do("jam", lag_s=0.5)
    assert car.box.car.lag_s == 25


def test_no_charge_no_drive() -> None:
    for verb in ("drive", "drive_to"):
        with pytest.raises(Impossible):
            bench().do(verb, km=10_000, latitude=-48, longitude=11)


def test_park_closes_the_doors_and_locks_nothing() -> None:
    car = bench()
    car.do("lock", locked=False)
    car.do("doors", fl="open", trunk="open")
    car.do("park")
    assert (car.box.car.open_doors, car.box.car.locked) == (set(), False)


def test_a_locked_car_opens_no_door() -> None:
    with pytest.raises(Impossible):
        bench().do("doors", fl="open")
    car = bench()
    car.do("lock", locked=False)
    for door, how in (("roof", "open"), ("fl", "ajar")):
        with pytest.raises((Impossible, ValueError)):
            car.do("doors", **{door: how})


@pytest.mark.parametrize("before", ["plug", "immobilise", "valet"])
def test_a_car_does_not_start_while_something_holds_it(before: str) -> None:
    car = bench()
    if before == "plug":
        car.do("plug", plugged=True)
    car.said({"plug": "stat", "immobilise": "egpio output 7 1", "valet": "valet 4711"}[before])
    with pytest.raises(Impossible):
        car.do("ignition", on=True)


def test_the_keys_are_forgotten_by_whoever_takes_them() -> None:
    car = bench()
    assert "6" in (car.metric("m.egpio.input") or "")
    car.do("keys", in_glove_box=False)
    assert "6" not in (car.metric("m.egpio.input") or "")


def test_a_key_switch_may_hang_on_another_port_and_read_the_other_way() -> None:
    car = bench()
    car.do("wire", port=6, to="nothing")
    car.do("wire", port=8, to="keys", level=0)
    assert car.said("egpio input 8") == "EGPIO port 8 has input level 0"
    car.do("keys", in_glove_box=False)
    assert car.said("egpio input 8") == "EGPIO port 8 has input level 1"


def test_charge_rises_while_plugged_in_and_time_passes() -> None:
    car = bench()
    car.do("battery", percent=50)
    car.do("plug", plugged=True)
    assert (car.asked("v.c.state"), car.asked("v.c.type"), car.asked("v.c.power")) == (
        "charging",
        "type2",
        "7.36",
    )
    car.after(3600)
    assert car.box.car.percent == pytest.approx(50 + 7.36 / 60 * 100)
    assert (car.asked("v.c.kwh"), car.asked("v.c.kwh.grid")) == ("7.36", "8.096")


def test_charge_plugs_in_and_passes_the_time_at_once() -> None:
    car = bench()
    car.do("battery", percent=50)
    car.do("charge", minutes=60)
    assert car.box.car.plugged
    assert car.box.car.percent == pytest.approx(62.27, abs=0.01)
    car.do("pass", minutes=600)
    assert (car.box.car.percent, car.box.car.charging) == (100, False)


def test_a_quick_charge_is_quick() -> None:
    car = bench()
    car.do("battery", percent=10)
    car.do("plug", plugged=True, quick="yes")
    assert (car.asked("v.c.type"), car.asked("v.c.power"), car.asked("v.c.current")) == (
        "chademo",
        "50",
        "125",
    )


def test_a_car_that_is_on_is_not_plugged_in_nor_towed_nor_put_to_sleep_nor_drained() -> None:
    car = bench()
    car.do("ignition", on=True)
    for verb, body in (
        ("plug", {"plugged": True}),
        ("tow", {"latitude": 1, "longitude": 1}),
        ("sleep", {}),
        ("drain", {}),
    ):
        with pytest.raises(Impossible):
            car.do(verb, **body)


def test_a_resting_12_v_battery_loses_little_and_a_month_empties_it() -> None:
    car = bench()
    car.do("pass", minutes=60 * 24)
    assert 12.4 < car.box.car.volts_12 < 12.6
    car.do("pass", minutes=60 * 24 * 30)
    assert car.box.car.volts_12 < 11.5
    assert car.asked("v.b.12v.voltage.alert") == "yes"


def test_drain_alone_is_just_below_the_alert() -> None:
    car = bench()
    car.do("drain")
    assert car.box.car.volts_12 == 11.4


def test_a_jammed_lock_says_done_and_shows_the_truth() -> None:
    car = bench()
    car.do("jam", jammed=True)
    assert car.said("unlock 4711") == "Vehicle unlocked"
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("yes", True)


def test_a_lock_may_be_shown_late() -> None:
    car = bench()
    car.do("jam", lag_s=3)
    car.send("unlock 4711")
    assert (car.asked("v.e.locked"), car.box.car.locked) == ("yes", False)
    car.after(3)
    assert car.asked("v.e.locked") == "no"


@pytest.mark.parametrize(("says", "shown", "truth"), [("locked", "yes", False), ("unlocked", "no", True)])
def test_a_car_lies_whatever_it_is_told(says: str, shown: str, truth: bool) -> None:  # noqa: FBT001
    car = bench()
    car.do("lie", says=says)
    for line in ("lock 4711", "unlock 4711"):
        assert car.said(line).startswith("Vehicle ")
        assert (car.asked("v.e.locked"), car.box.car.locked) == (shown, truth)
    car.do("lie", says="nothing")
    assert car.asked("v.e.locked") == ("yes" if truth else "no")
    with pytest.raises(ValueError, match="says"):
        car.do("lie", says="maybe")


def test_in_a_garage_the_place_is_the_last_one_seen_and_nothing_passes() -> None:
    car = bench()
    car.do("garage", inside=True)
    car.do("position", latitude=50, longitude=10)
    assert car.asked("v.p.latitude") is None
    assert car.box.line.name == "STALLED"
    known = car.box.car
    assert known.fix == (48.137154, 11.576124)
    cuts = car.box.cuts
    car.do("garage", inside=False)
    assert (car.box.cuts, car.box.line.name) == (cuts + 1, "UP")
    assert (car.asked("v.p.latitude"), car.asked("v.p.gpslock")) == ("50.000000", "yes")


def test_a_car_that_is_put_somewhere_alarms_nobody() -> None:
    car = bench()
    car.do("position", latitude=50, longitude=10)
    assert (car.events(), car.notes()) == ([], [])
    assert (car.asked("v.p.latitude"), car.asked("v.p.location")) == ("50.000000", None)


def test_a_setting_is_changed_from_outside() -> None:
    car = bench("SQ")
    car.do("config", name="xsq/canwrite", value="no")
    assert car.said("unlock 1").startswith("Error")


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("drive", {}),
        ("fault", {"kind": "bored"}),
        ("ignition", {"on": "perhaps"}),
        ("battery", {"percent": 101}),
        ("wire", {"port": 10, "to": "keys"}),
        ("wire", {"port": 1, "to": "moon"}),
    ],
)
def test_what_makes_no_sense_is_refused(verb: str, body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"takes|faults|yes or no|percent|ports"):
        bench().do(verb, **body)


def test_the_help_of_the_command_line_lists_every_verb_and_every_fault() -> None:
    text = do.listed()
    for verb in verbs.VERBS:
        assert f"\n  {verb} " in text
    for fault in FAULTS:
        assert fault in text


@pytest.mark.parametrize(
    ("verb", "given", "body"),
    [
        ("drive", ["12", "20"], {"km": "12", "minutes": "20"}),
        ("drive", ["km=12"], {"km": "12"}),
        ("doors", ["fl=open", "trunk=closed"], {"fl": "open", "trunk": "closed"}),
        ("lie", ["locked"], {"says": "locked"}),
        ("park", [], {}),
    ],
)
def test_the_command_line_takes_values_by_name_or_in_order(
    verb: str, given: list[str], body: dict[str, str]
) -> None:
    assert do.values(verb, given) == body


def test_the_command_line_refuses_a_verb_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["box1", "fly"], ["box1", "park", "now"], ["box1"]):
        with pytest.raises(SystemExit):
            do.main(words)
    assert "park takes nothing" in capsys.readouterr().err
