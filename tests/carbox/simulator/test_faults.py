import pytest

from carbox.simulator.telling import Message
from tests.carbox.simulator.rig import PREFIX, Bench, bench


def answers(told: list[Message]) -> list[str]:
    return [one.payload.strip() for one in told if "/response/" in one.topic]


def spoiled(kind: str, **more: object) -> Bench:
    car = bench()
    car.do("fault", kind=kind, **more)
    return car


def test_a_box_that_refuses_does_nothing() -> None:
    car = spoiled("refuse")
    assert car.said("unlock 4711") == "Error: vehicle could not be unlocked"
    assert car.said("charge start") == "Error: Could not start charge"
    assert car.said("egpio pulse 4 0 5").startswith("Error")
    assert car.box.car.locked


def test_a_fault_befalls_as_many_commands_as_it_was_given() -> None:
    car = spoiled("refuse", times=2)
    assert [car.said("unlock 4711").startswith("Error") for _ in range(3)] == [True, True, False]
    assert car.box.fault.kind == "none"


def test_a_mute_box_takes_commands_and_answers_requests_only() -> None:
    car = spoiled("mute")
    assert car.said("unlock 4711") == ""
    assert (car.box.car.locked, len(car.box.log)) == (True, 1)
    assert car.asked("v.e.locked") == "yes"


def test_a_silent_box_reacts_to_nothing() -> None:
    car = spoiled("silent")
    assert car.said("unlock 4711") == ""
    assert car.asked("v.e.locked") is None
    assert car.box.log == []


def test_a_slow_box_does_and_answers_later_and_nothing_meanwhile() -> None:
    car = spoiled("slow", seconds=4)
    assert answers(car.send("unlock 4711")) == []
    assert car.box.car.locked
    assert car.asked("v.b.soc") is None
    told = car.after(4)
    assert answers(told) == ["Vehicle unlocked"]
    assert "metric/v/b/soc" in {one.topic for one in told}


def test_a_late_answer_comes_after_the_deed_while_the_box_goes_on() -> None:
    car = spoiled("late", seconds=30)
    assert answers(car.send("unlock 4711")) == []
    assert car.box.car.locked is False
    assert car.asked("v.e.locked") == "no"
    assert answers(car.after(29)) == []
    assert answers(car.after(1)) == ["Vehicle unlocked"]


def test_a_late_answer_is_lost_with_the_connection() -> None:
    car = spoiled("late", seconds=30)
    car.send("unlock 4711")
    car.do("fault", kind="offline")
    car.after(31)
    car.do("fault", kind="none")
    assert answers(car.after(60)) == []


def test_an_answer_is_lost_and_the_deed_is_done() -> None:
    car = spoiled("answer_lost")
    assert car.said("unlock 4711") == ""
    assert (car.box.car.locked, car.box.log[0]["executed"], car.box.log[0]["answer"]) == (False, 1, None)


def test_a_command_is_done_twice_and_answered_twice() -> None:
    car = spoiled("executes_twice")
    assert answers(car.send("unlock 4711")) == ["Vehicle unlocked"] * 2
    assert car.box.log[0]["executed"] == 2


def test_a_command_is_done_once_and_answered_twice() -> None:
    car = spoiled("answers_twice")
    assert answers(car.send("unlock 4711")) == ["Vehicle unlocked"] * 2
    assert car.box.log[0]["executed"] == 1


def test_a_connection_cut_before_the_answer_leaves_the_deed_done_once() -> None:
    car = spoiled("cut", times=1)
    assert answers(car.send("unlock 4711")) == []
    assert (car.box.car.locked, car.box.cuts, car.box.line.name) == (False, 1, "UP")
    (entry,) = car.box.log
    assert (entry["executed"], entry["answer"]) == (1, None)
    assert car.box.car.openings == [entry["done_at"]]


def test_a_box_that_crashes_while_unlocking_has_opened_and_never_answers() -> None:
    car = spoiled("crash", seconds=20, times=1)
    told = car.send("unlock 4711")
    assert answers(told) == []
    assert (car.box.car.locked, car.box.log[0]["executed"], car.box.log[0]["answer"]) == (False, 1, None)
    assert car.box.line.name == "DOWN"
    assert car.after(19) == []
    told = car.after(1)
    assert "metric/s/v3/connected" in {one.topic for one in told}
    assert answers(told) == []
    assert [one for one in told if one.topic.startswith("event")] == []
    assert car.said("lock 4711") == "Vehicle locked"


@pytest.mark.parametrize("kind", ["frozen", "stalled"])
def test_a_stalled_link_keeps_its_connection_and_nothing_passes(kind: str) -> None:
    car = spoiled(kind, seconds=30)
    assert car.box.line.name == "STALLED"
    assert car.send("unlock 4711") == []
    assert car.after(29) == []
    assert car.box.car.locked
    if kind == "frozen":
        assert car.after(600) == []
        car.do("fault", kind="none")
    told = car.after(1)
    assert answers(told) == ["Vehicle unlocked"]
    assert (car.box.car.locked, car.box.fault.kind) == (False, "none")


def test_a_link_that_stalls_as_a_command_comes_brings_it_when_it_moves_again() -> None:
    car = spoiled("stalls", seconds=30)
    assert answers(car.send("unlock 4711")) == []
    assert (car.box.line.name, car.box.car.locked, car.box.log) == ("STALLED", True, [])
    assert answers(car.after(29)) == []
    assert answers(car.after(1)) == ["Vehicle unlocked"]
    assert car.box.fault.kind == "none"


def test_a_frozen_box_lets_the_hand_move_its_car() -> None:
    car = spoiled("frozen")
    car.do("lock", locked=False)
    car.do("doors", fl="open")
    assert car.box.car.open_doors == {"fl"}


def test_offline_is_down_until_it_is_changed() -> None:
    car = spoiled("offline")
    assert car.after(3600) == []
    assert car.box.line.name == "DOWN"
    before = car.connects
    car.do("fault", kind="none")
    assert car.told()
    assert car.connects == before + 1


def test_reconnect_cuts_the_connection_once() -> None:
    car = spoiled("reconnect")
    assert (car.box.cuts, car.box.fault.kind, car.box.line.name) == (1, "none", "UP")


def test_a_reboot_forgets_and_tells_what_it_had_kept_until_the_car_stirs() -> None:
    car = bench()
    car.do("alarm", on=True)
    car.do("alarm", on=False)
    car.do("reboot", seconds=30)
    car.do("lock", locked=False)
    car.do("battery", percent=30)
    car.do("position", latitude=50, longitude=10)
    assert car.after(29) == []
    told = car.after(1)
    assert [one for one in told if one.topic.startswith("notify/")] == []
    stale = {"v.e.locked": "yes", "v.b.soc": "80", "v.p.latitude": "48.137154"}
    assert {name: car.metric(name) for name in stale} == stale
    assert {name: car.asked(name) for name in stale} == stale
    car.do("doors", fl="open")
    fresh = {"v.e.locked": "no", "v.b.soc": "30", "v.p.latitude": "50.000000"}
    assert car.metric("v.e.locked") == "no"
    assert {name: car.asked(name) for name in fresh} == fresh


def test_a_reboot_can_come_back_with_fresh_readings() -> None:
    car = bench()
    car.do("reboot", seconds=1, stale=False)
    car.do("battery", percent=30)
    car.after(2)
    assert car.metric("v.b.soc") == "30"


def test_a_reboot_takes_a_command_under_way_with_it() -> None:
    car = spoiled("slow", seconds=10)
    car.send("unlock 4711")
    car.do("reboot", seconds=1)
    assert answers(car.after(60)) == []
    assert car.box.car.locked


def test_a_request_that_waits_behind_a_busy_box_is_answered_in_order() -> None:
    car = spoiled("slow", seconds=5, times=1)
    car.send("unlock 4711")
    car.box.hear(f"{PREFIX}client/c/command/2", "lock 4711")
    told = car.after(5)
    assert answers(told) == ["Vehicle unlocked", "Vehicle locked"]


def test_a_command_under_way_is_done_although_the_line_stalls() -> None:
    car = spoiled("slow", seconds=5, times=1)
    car.send("unlock 4711")
    car.do("fault", kind="stalled", seconds=6)
    assert answers(car.after(5)) == []
    assert car.box.car.locked is False
    assert answers(car.after(1)) == ["Vehicle unlocked"]


def test_an_answer_given_in_a_garage_is_lost_with_the_dead_connection() -> None:
    car = spoiled("slow", seconds=5, times=1)
    car.send("unlock 4711")
    car.do("garage", inside=True)
    car.after(5)
    car.do("garage", inside=False)
    assert answers(car.told()) == []
    assert car.metric("v.e.locked") == "no"
