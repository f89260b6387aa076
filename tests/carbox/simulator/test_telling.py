import pytest

from tests.carbox.simulator.rig import PREFIX, Bench, bench


def names(car: Bench, seconds: float) -> set[str]:
    """The metrics told in the next seconds, looking every second."""
    told = [one for _second in range(int(seconds)) for one in car.after(1)]
    return {one.topic.removeprefix("metric/") for one in told if one.topic.startswith("metric/")}


def announce(car: Bench, payload: str = "1", client: str = "c") -> None:
    car.told()
    car.box.hear(f"{PREFIX}client/{client}/active", payload)


def test_on_connecting_everything_is_told_retained_and_without_guarantee() -> None:
    car = bench()
    car.box.teller.disconnected()
    told = car.told()
    assert len(told) > 60
    assert {(one.qos, one.retain) for one in told} == {(0, True)}
    assert not [one for one in told if one.topic.startswith("event")]


@pytest.mark.parametrize(
    ("rung", "seconds"), [("on", 5), ("charging", 10), ("connected", 10), ("awake", 60), ("idle", 600)]
)
def test_changed_readings_follow_the_ladder(rung: str, seconds: int) -> None:
    car = bench()
    if rung == "on":
        car.do("ignition", on=True)
    elif rung == "charging":
        car.do("plug", plugged=True)
    elif rung == "connected":
        announce(car)
    elif rung == "awake":
        car.do("lock", locked=False)
    assert car.box.teller.rung() == rung
    names(car, seconds)  # from the last tick on
    car.box.car.odometer_km += 1
    assert "v/p/odometer" not in names(car, seconds - 2)
    assert "v/p/odometer" in names(car, 2)


def test_every_twenty_minutes_everything_is_told_again() -> None:
    car = bench()
    assert "v/vin" not in names(car, 1195)
    assert "v/vin" in names(car, 10)


def test_an_unlocked_car_stays_awake_until_it_is_sent_to_sleep() -> None:
    car = bench()
    car.do("lock", locked=False)
    car.after(3600)
    assert car.metric("v.e.awake") == "yes"
    car.do("sleep")
    assert "vehicle.asleep" in car.events()
    assert car.box.teller.rung() == "idle"


def test_a_locked_car_falls_asleep_after_a_minute() -> None:
    car = bench()
    car.do("wake")
    assert "vehicle.awake" in car.events()
    car.clock.seconds += 61
    assert "vehicle.asleep" in car.events()


def test_doors_and_lock_are_told_at_once_other_things_wait() -> None:
    car = bench()
    car.do("battery", percent=50)
    assert "metric/v/b/soc" not in {one.topic for one in car.told()}
    car.do("keys", in_glove_box=False)
    assert {one.topic for one in car.told()} >= {"metric/m/egpio/input", "event/egpio/input/6/low"}


def test_an_event_of_weight_brings_everything_that_has_changed() -> None:
    car = bench()
    car.do("battery", percent=50)
    car.do("lock", locked=False)
    assert {one.topic for one in car.told()} >= {"metric/v/b/soc", "metric/v/e/locked", "event"}


def test_a_box_that_is_not_set_to_it_tells_nothing_at_once() -> None:
    car = bench(config={"server.v3/updatetime.immediately": "no"})
    car.do("keys", in_glove_box=False)
    assert "metric/m/egpio/input" not in {one.topic for one in car.told()}


def test_events_go_to_both_topics_without_guarantee() -> None:
    car = bench()
    car.do("lock", locked=False)
    found = [one for one in car.told() if one.topic.startswith("event")]
    assert [(one.topic, one.payload) for one in found] == [
        ("event", "vehicle.awake"),
        ("event/vehicle/awake", ""),
        ("event", "vehicle.unlocked"),
        ("event/vehicle/unlocked", ""),
    ]
    assert {(one.qos, one.retain) for one in found} == {(0, False)}


def test_the_legacy_topic_can_be_switched_off() -> None:
    car = bench(config={"server.v3/events.legacy_topic": "no"})
    car.do("lock", locked=False)
    assert "event" not in {one.topic for one in car.told()}


def test_a_client_that_comes_is_told_everything_unless_it_just_was() -> None:
    car = bench()
    announce(car)
    assert "metric/v/vin" not in {one.topic for one in car.told()}
    announce(car, "0")
    car.after(31)
    announce(car)
    told = {one.topic for one in car.told()}
    assert {"metric/v/vin", "event/app/connected"} <= told
    assert car.asked("s.v3.peers") == "1"


@pytest.mark.parametrize("how", ["signs off", "is silent"])
def test_a_client_goes_by_signing_off_or_after_two_minutes(how: str) -> None:
    car = bench()
    announce(car)
    car.told()
    if how == "signs off":
        announce(car, "")
    else:
        car.after(119)
        car.clock.seconds += 2
    assert "app.disconnected" in car.events()


def test_a_request_brings_what_fits_its_patterns_at_once() -> None:
    car = bench()
    car.box.hear(f"{PREFIX}client/c/request/metric", "v.b.s*,v.e.locked")
    assert [one.topic for one in car.told()] == ["metric/v/b/soc", "metric/v/b/soh", "metric/v/e/locked"]


def test_server_v3_update_tells_everything_again() -> None:
    car = bench()
    assert "metric/v/vin" in {one.topic for one in car.send("server v3 update all")}
    assert "metric/v/vin" not in {one.topic for one in car.send("server v3 update modified")}


def test_a_request_reads_even_the_pin() -> None:
    car = bench()
    car.box.hear(f"{PREFIX}client/c/request/config", "password/pin")
    answer = car.told()[0]
    assert (answer.topic, answer.payload) == ("client/c/config/password/pin", "4711")
    car.box.hear(f"{PREFIX}client/c/request/config", "no/such+#")
    assert car.told() == []


def test_filters_keep_the_data_small() -> None:
    car = bench(
        config={"server.v3/metrics.include": "v.b.*,v.e.locked", "server.v3/metrics.exclude": "v.b.12v*"}
    )
    told = set(car.retained)
    assert {"metric/v/b/soc", "metric/v/e/locked", "metric/s/v3/connected"} <= told
    assert not [topic for topic in told if topic.startswith(("metric/v/b/12v", "metric/v/d"))]


def test_a_port_that_is_not_watched_keeps_its_level() -> None:
    car = bench()
    car.said("egpio monitor off 6")
    car.do("keys", in_glove_box=False)
    assert car.events() == []
    assert "6" in (car.asked("m.egpio.input") or "")
    assert car.said("egpio input 6") == "EGPIO port 6 has input level 0"
    assert "6" not in (car.asked("m.egpio.input") or "").split(",")


def test_without_a_connection_events_are_lost_and_notifications_wait() -> None:
    car = bench()
    car.box.set_fault("offline")
    car.told()
    car.do("alarm", on=True)
    car.box.set_fault("none")
    told = [one for one in car.told() if not one.topic.startswith("metric/")]
    assert [(one.topic, one.qos) for one in told] == [("notify/alert/alarm/sounding", 1)]


def test_a_charge_that_is_full_is_news() -> None:
    car = bench()
    car.do("battery", percent=99)
    car.do("plug", plugged=True)
    assert {"vehicle.charge.start", "vehicle.charge.pilot.on"} <= set(car.events())
    car.clock.seconds += 600
    told = car.told()
    events = [one.payload for one in told if one.topic == "event"]
    assert {"vehicle.charge.stop", "vehicle.charge.finished"} <= set(events)
    done = next(one for one in told if one.topic == "notify/info/charge/done")
    assert done.payload.startswith("Not charging\nSOC: 100.0%")
    assert (car.asked("v.c.state"), car.asked("v.b.soc")) == ("done", "100")


def test_a_charge_that_is_cut_is_an_alert_and_one_that_is_stopped_is_news() -> None:
    car = bench()
    car.do("plug", plugged=True)
    car.do("plug", plugged=False)
    assert "alert/charge/stopped" in car.notes()
    assert car.asked("v.c.substate") == "interrupted"
    car.do("plug", plugged=True)
    told = car.send("charge stop")
    assert "notify/info/charge/stopped" in {one.topic for one in told}
    assert car.asked("v.c.state") == "stopped"


def test_trips_and_charges_leave_records_of_one_line() -> None:
    car = bench()
    car.do("drive", km=10)
    trip = next(one for one in car.told() if one.topic.startswith("notify/data"))
    assert (trip.topic, trip.qos) == ("notify/data/log/trip/1/0", 2)
    assert trip.payload.startswith("*-LOG-Trip,10.0,")
    car.do("charge", minutes=1)
    car.do("plug", plugged=False)
    assert "data/log/grid/2/0" in car.notes()


def test_a_car_that_is_carried_away_and_an_alarm_are_told() -> None:
    car = bench()
    car.do("tow", latitude=48.2, longitude=11.6)
    told = car.told()
    assert "location.alert.flatbed.moved" in [one.payload for one in told]
    assert "notify/alert/flatbed/moved" in [one.topic for one in told]
    car.do("alarm", on=True)
    told = car.told()
    assert {"event/vehicle/alarm/on", "notify/alert/alarm/sounding"} <= {one.topic for one in told}


def test_a_car_in_valet_mode_has_bounds() -> None:
    car = bench()
    car.said("valet 4711")
    car.do("tow", latitude=48.2, longitude=11.6)
    assert "location.alert.valet.bounds" in car.events()


def test_a_car_that_is_left_on_and_an_empty_one_are_alerts() -> None:
    car = bench()
    car.do("ignition", on=True)
    car.clock.seconds += 901
    assert "alert/vehicle/idle" in car.notes()
    car.do("battery", percent=4)
    assert "alert/batt/soc/alert" in car.notes()


def test_a_12_v_battery_that_sags_is_told_step_by_step_and_then_the_box_is_gone() -> None:
    car = bench()
    car.do("drain", volts=11.4)
    told = car.told()
    assert "event/vehicle/alert/12v/on" in {one.topic for one in told}
    assert "notify/alert/batt/12v/alert" in {one.topic for one in told}
    assert (car.asked("v.b.12v.voltage"), car.asked("v.b.12v.voltage.alert")) == ("11.4", "yes")
    car.do("drain", volts=10.9)
    assert car.events() == ["vehicle.alert.12v.low"]
    car.do("drain", volts=10.4)
    assert car.events() == ["vehicle.alert.12v.shutdown"]
    car.after(61)
    assert car.box.line.name == "DOWN"
    car.do("drain", volts=12.6)
    assert car.box.line.name == "UP"


def test_a_record_that_waited_says_how_old_it_is() -> None:
    car = bench()
    car.do("fault", kind="offline")
    car.told()
    car.do("drive", km=10)
    car.after(42)
    car.do("fault", kind="none")
    assert "data/log/trip/1/-42" in car.notes()


def test_a_prefix_is_taken_as_it_stands() -> None:
    car = bench(config={"server.v3/topic.prefix": "fleet/one"})
    assert car.box.prefix == "fleet/one"
    car.box.teller.disconnected()
    assert "fleet/onemetric/v/vin" in {one.topic for one in car.told()}


def test_a_setting_that_is_no_number_is_as_if_it_were_not_set() -> None:
    car = bench("SE", config={"server.v3/updatetime.idle": "often", "xse/doorunlock.port": "nan"})
    assert car.box.profile.config.seconds("idle") == 600
    assert car.said("unlock 1") == "Vehicle unlocked"
    assert car.box.car.locked is False
