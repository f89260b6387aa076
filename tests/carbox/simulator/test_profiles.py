import pytest

from carbox.simulator.car import Impossible
from carbox.simulator.metrics import dated, metrics, spelled
from carbox.simulator.profiles import PROFILES
from tests.carbox.simulator.rig import Bench, bench

WELL_BEHAVED = ("DEMO", "ZOE2")


def heats(car: Bench) -> bool:
    return car.box.car.climate


@pytest.mark.parametrize("profile", WELL_BEHAVED)
def test_a_well_behaved_car_shows_what_its_bolts_do(profile: str) -> None:
    car = bench(profile)
    car.said("unlock 4711")
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("no", False)
    car.do("lock", locked=True)
    assert car.metric("v.e.locked") == "yes"


@pytest.mark.parametrize("profile", ["SQ", "SE"])
def test_the_smarts_ignore_the_pin(profile: str) -> None:
    assert bench(profile, pin=None).said("unlock whatever") == "Vehicle unlocked"


def test_a_smart_eq_may_not_lock_without_leave_to_write() -> None:
    car = bench("SQ", config={"xsq/canwrite": "no"})
    assert car.said("unlock 4711") == "Error: vehicle could not be unlocked"
    car.said("config set xsq canwrite yes")
    assert car.said("unlock 4711") == "Vehicle unlocked"


def test_a_smart_eq_refuses_a_second_door_command_within_ten_seconds() -> None:
    car = bench("SQ")
    car.send("unlock 1")
    car.after(2)
    car.send("lock 1")
    assert [one.payload for one in car.after(2) if "/response/" in one.topic] == [
        "Error: vehicle could not be locked\n"
    ]
    car.after(10)
    assert car.said("lock 1") == "Vehicle locked"


def test_a_smart_eq_believes_itself_locked_until_a_door_opens() -> None:
    car = bench("SQ")
    car.do("lock", locked=False)
    car.do("jam", jammed=True)
    car.said("lock 1")
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("yes", False)
    car.do("doors", fl="open")
    assert car.metric("v.e.locked") == "no"


def test_a_smart_eq_believes_itself_locked_until_an_unlock_command() -> None:
    car = bench("SQ")
    car.said("lock 1")
    car.do("lock", locked=False)
    assert car.metric("v.e.locked") == "yes"
    car.said("unlock 1")
    assert car.metric("v.e.locked") == "no"


def test_a_smart_eq_reads_its_network_where_no_lock_command_went_before() -> None:
    car = bench("SQ")
    car.do("lock", locked=False)
    assert car.metric("v.e.locked") == "no"
    car.do("jam", jammed=True)
    assert car.said("unlock 1") == "Vehicle unlocked"
    assert car.metric("v.e.locked") == "no"


def test_a_smart_eq_controls_no_charge_and_only_begins_to_heat() -> None:
    car = bench("SQ")
    for line in ("charge start", "charge stop", "charge current 8", "charge mode range"):
        assert car.said(line).endswith("functionality not available"), line
    assert car.said("climatecontrol on") == "Climate Control on"
    assert heats(car)
    assert car.said("climatecontrol off") == "Error: Climate Control functionality not available"
    car.after(300)
    assert not heats(car)
    car.do("battery", percent=30)
    assert car.said("climatecontrol on") == "Error: Climate Control on failed"


def test_a_smart_eq_counts_the_cycles_of_its_contactor() -> None:
    car = bench("SQ")
    before = int(car.asked("xsq.bms.contactor.cycles") or -1)
    car.do("ignition", on=True)
    assert car.asked("xsq.bms.contactor.cycles") == str(before + 1)


def test_a_smart_ed_locks_by_its_relays_and_shows_what_it_commanded() -> None:
    car = bench("SE")
    car.said("unlock 1")
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("no", False)
    car.do("lock", locked=True)
    assert car.metric("v.e.locked") == "no"
    car.do("wire", port=9, to="nothing")
    car.do("lock", locked=False)
    assert car.said("lock 1") == "Vehicle locked"
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("yes", False)


def test_the_relay_ports_of_a_smart_ed_are_settings() -> None:
    car = bench("SE", config={"xse/doorunlock.port": "4"})
    car.do("wire", port=8, to="nothing")
    car.said("unlock 1")
    assert car.box.car.locked is False


def test_a_smart_ed_with_a_status_wire_looks_every_ten_seconds() -> None:
    car = bench("SE")
    car.do("wire", port=2, to="status")
    car.after(10)
    car.do("lock", locked=False)
    assert car.metric("v.e.locked") == "yes"
    car.after(10)
    assert car.metric("v.e.locked") == "no"


def test_the_valet_mode_of_a_smart_ed_is_its_ignition_relay_for_five_minutes() -> None:
    car = bench("SE")
    car.do("wire", port=7, to="release")
    with pytest.raises(Impossible):
        car.do("ignition", on=True)
    car.said("valet 1")
    assert (car.asked("m.egpio.output"), car.asked("v.e.valet")) == ("7", "yes")
    car.do("ignition", on=True)
    car.do("ignition", on=False)
    car.after(300)
    assert (car.asked("m.egpio.output"), car.asked("v.e.valet")) == ("", "no")
    with pytest.raises(Impossible):
        car.do("ignition", on=True)
    car.do("battery", percent=20)
    assert car.said("valet 1") == "Error: vehicle could not activate valet mode"


def test_a_smart_ed_controls_only_the_current_of_a_charge() -> None:
    car = bench("SE")
    car.do("plug", plugged=True)
    assert car.said("charge stop") == "Error: Charge stop functionality not available"
    assert car.said("charge mode range") == "Error: Charge mode functionality not available"
    assert car.said("charge current 8") == "Charge current limit set to 8A"
    assert car.asked("v.c.power") == "1.84"
    car.said("config set xse canwrite no")
    assert car.said("charge current 16") == "Error: Could not set charge current limit to 16A"


def test_a_smart_ed_heats_only_while_awake() -> None:
    car = bench("SE")
    assert car.said("climatecontrol on").startswith("Error")
    car.do("wake")
    assert car.said("climatecontrol on") == "Climate Control on"


def test_a_c_zero_has_no_locks_but_by_a_script() -> None:
    car = bench("MI")
    for verb in ("lock", "unlock"):
        assert car.said(f"{verb} 4711") == f"Error: Vehicle {verb} functionality not available"
    car.do("hook", on=True)
    assert car.said("unlock 0000") == "Error: vehicle could not be unlocked"
    assert car.said("unlock 4711") == "Vehicle unlocked"
    assert (car.metric("v.e.locked"), car.box.car.locked) == ("no", False)


def test_the_script_of_a_c_zero_fails_without_a_relay() -> None:
    car = bench("MI", hook=True)
    car.do("wire", port=4, to="nothing")
    assert car.said("unlock 4711") == "Error: vehicle could not be unlocked"


def test_the_doors_of_a_c_zero_share_a_bit_but_the_drivers() -> None:
    car = bench("MI")
    car.do("lock", locked=False)
    car.do("doors", rl="open")
    assert [car.metric(f"v.d.{door}") for door in ("fl", "fr", "rl", "rr", "trunk")] == ["no"] + ["yes"] * 4
    car.do("doors", rl="closed", fl="open")
    assert [car.metric(f"v.d.{door}") for door in ("fl", "fr", "rl", "rr", "trunk")] == ["yes"] + ["no"] * 4


def test_a_c_zero_has_its_own_words_for_a_charge() -> None:
    car = bench("MI")
    words = ("v.c.type", "v.c.mode", "v.d.cp", "v.b.range.est")
    assert [car.asked(name) for name in words] == ["None", "Type1", "no", "80"]
    car.do("plug", plugged=True)
    assert [car.asked(name) for name in words] == ["Standard", "Type1", "yes", "80"]
    car.do("battery", percent=96)
    assert car.asked("v.c.mode") == "Balancing"
    car.do("battery", percent=50)
    car.do("plug", plugged=False)
    car.do("plug", plugged=True, quick=True)
    assert [car.asked(name) for name in words] == ["Quickcharge", "CHAdeMO", "yes", "0"]


def test_a_c_zero_knows_its_12_v_current_only_while_on() -> None:
    car = bench("MI")
    assert car.asked("v.b.12v.current") is None
    car.do("ignition", on=True)
    assert car.asked("v.b.12v.current") == "8"


@pytest.mark.parametrize(
    ("profile", "lacking"),
    [
        ("DEMO", set()),
        ("SQ", {"v.d.hood", "v.e.valet"}),
        ("SE", {"v.d.hood", "v.d.rl", "v.d.rr", "v.t.pressure"}),
        ("MI", {"v.d.hood", "v.t.pressure", "v.b.12v.current"}),
        ("NONE", {"v.b.soc", "v.e.locked", "v.d.fl", "v.type", "v.d.hood", "v.t.pressure"}),
    ],
)
def test_what_a_module_does_not_know_is_missing(profile: str, lacking: set[str]) -> None:
    known = metrics(bench(profile).box.profile)
    of_interest = {"v.d.hood", "v.d.rl", "v.d.rr", "v.t.pressure", "v.b.12v.current"} | lacking
    assert {name for name in of_interest if name not in known} >= lacking
    assert {"s.v3.connected", "m.egpio.input", "v.p.latitude", "v.b.12v.voltage"} <= set(known)


def test_a_well_behaved_car_reports_all_that_the_sheet_lists() -> None:
    car = bench()
    car.do("plug", plugged=True)
    car.do("plug", plugged=False)
    sheet = """s.v3.connected v.type v.vin m.version v.b.soc v.b.soh v.b.range.est v.b.range.ideal v.b.range.full
        v.b.capacity v.b.temp v.c.charging v.c.state v.c.substate v.c.type v.c.mode v.c.pilot v.d.cp v.c.current
        v.c.voltage v.c.power v.c.kwh v.c.kwh.grid v.c.duration.full v.c.limit.soc v.c.timestamp v.p.odometer
        v.p.trip v.e.drivetime v.e.parktime v.b.energy.used v.b.energy.recd v.e.locked v.e.on v.e.awake v.e.gear
        v.e.handbrake v.e.valet v.e.alarm v.e.headlights v.d.fl v.d.fr v.d.rl v.d.rr v.d.trunk v.d.hood
        v.p.latitude v.p.longitude v.p.gpslock v.p.gpssq v.p.gpshdop v.p.speed v.p.location v.b.12v.voltage
        v.b.12v.voltage.ref v.b.12v.voltage.alert v.b.12v.current v.e.charging12v v.t.pressure v.t.temp v.t.health
        v.t.alert v.e.serv.range v.e.serv.time m.egpio.input m.egpio.output m.net.type m.net.sq m.time.utc"""
    assert set(sheet.split()) - set(metrics(car.box.profile)) == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_car_is_told_and_answers(profile: str) -> None:
    car = bench(profile)
    assert car.retained["metric/s/v3/connected"] == "yes"
    assert car.said("egpio input 6") == "EGPIO port 6 has input level 1"


def test_numbers_have_six_digits() -> None:
    assert (spelled(41940.5), spelled(123456.7), spelled(1_000_000.0)) == ("41940.5", "123457", "1e+06")


def test_dates_come_in_steps_of_128_seconds() -> None:
    assert {int(dated(1_790_000_000.0 + second)) % 128 for second in range(0, 500, 50)} == {0}
    assert len({dated(1_790_000_000.0 + second) for second in range(128)}) <= 2
