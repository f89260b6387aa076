import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from carbox.box import (
    LOCK_NAMES,
    Answer,
    AnswerKind,
    BadCommand,
    Box,
    BoxAddress,
    BoxSilent,
    BoxUnreachable,
    BrokerDown,
    CarBox,
    Command,
    CommandKind,
    DoorHow,
    DoorWiring,
    Evidence,
    Pulse,
)
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import AT_ONCE, BrokerAddress
from carbox.ovms import OvmsBoxes
from carbox.simulator.process import Simulator
from tests.carbox.box_rig import Cast, Told, eventually, free_port, has_said_all, real_time

UNLOCK, LOCK = Command(CommandKind.UNLOCK), Command(CommandKind.LOCK)


def sent(driver: CarBox, box: Box, command: Command = UNLOCK, wait_s: float = 2.0) -> Answer:
    return driver.send(box, command, command_id=uuid4().hex, wait_s=wait_s)


def test_an_unlock_that_the_car_shows_is_confirmed_with_strong_evidence(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    answer = sent(driver, box)
    assert (answer.kind, answer.evidence, answer.effect, answer.dead) == (
        AnswerKind.CONFIRMED,
        Evidence.STRONG,
        True,
        True,
    )
    assert (answer.sent, answer.text) == ("unlock ****", "Vehicle unlocked")
    assert answer.state.flag("locked") is False
    assert answer.answered_at is not None
    assert answer.state["locked"].received_at >= answer.answered_at
    assert simulator.state(box.address.username)["car"]["locked"] is False
    assert [entry["line"] for entry in simulator.log(box.address.username)] == ["unlock ****"]


def test_a_lock_brings_all_that_ends_a_rental(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    sent(driver, box)
    simulator.move(box.address.username, "doors", fl="open")
    answer = sent(driver, box, LOCK)
    assert set(answer.state) == set(LOCK_NAMES)
    assert answer.state.open_doors == ("door_fl",)
    assert answer.state.flag("keys_in_glove_box") is True


def test_a_car_that_only_echoes_the_command_gives_weak_evidence(driver: OvmsBoxes, cast: Cast) -> None:
    box = cast.box("SQ", wiring=DoorWiring(pin="0000", optimistic_lock=True))
    answer = sent(driver, box)
    assert (answer.kind, answer.evidence, answer.effect) == (AnswerKind.CONFIRMED, Evidence.WEAK, True)


def test_a_lock_that_jams_is_strong_evidence_against_the_answer(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    simulator.move(box.address.username, "jam", jammed=True)
    answer = sent(hasty, box)
    assert (answer.kind, answer.evidence, answer.effect) == (AnswerKind.CONFIRMED, Evidence.STRONG, False)


def test_a_car_that_needs_a_moment_is_asked_again(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    simulator.move(box.address.username, "jam", lag_s=0.5)
    assert sent(driver, box).effect is True
    assert len(simulator.log(box.address.username)) == 1


def test_relays_open_a_car_whose_module_cannot(driver: OvmsBoxes, cast: Cast) -> None:
    box = cast.box("MI")
    refused = sent(driver, box)
    assert (refused.kind, refused.effect, refused.evidence) == (AnswerKind.REFUSED, False, Evidence.STRONG)
    wiring = DoorWiring(how=DoorHow.EGPIO_PULSE, unlock=Pulse(4), lock=Pulse(5))
    answer = sent(driver, replace(box, wiring=wiring))
    assert (answer.kind, answer.effect, answer.evidence) == (AnswerKind.CONFIRMED, True, Evidence.STRONG)
    assert answer.sent == "egpio pulse 4 1 500"


def test_a_wrong_pin_is_refused_and_nothing_opens(driver: OvmsBoxes, cast: Cast) -> None:
    answer = sent(driver, replace(cast.box(), wiring=DoorWiring(pin="9999")))
    assert (answer.kind, answer.effect) == (AnswerKind.REFUSED, False)
    assert answer.text == "Error: vehicle could not be unlocked"


def test_a_box_that_went_silent_leaves_the_command_open(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    has_said_all(hasty, box, simulator)
    answer = sent(hasty, box, wait_s=0.2)
    assert (answer.kind, answer.dead, answer.effect) == (AnswerKind.SILENT, False, None)
    with pytest.raises(BoxSilent):
        answer.heard()


def test_a_box_that_answers_later_questions_makes_the_command_dead(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    has_said_all(driver, box, simulator)
    simulator.fault(box.address.username, "mute")
    answer = sent(driver, box, wait_s=0.2)
    assert (answer.kind, answer.dead) == (AnswerKind.SILENT, True)
    assert (answer.effect, answer.evidence) == (False, Evidence.STRONG)


def test_a_lost_answer_is_made_up_for_by_the_car(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    has_said_all(driver, box, simulator)
    simulator.fault(box.address.username, "answer_lost")
    answer = sent(driver, box, wait_s=0.2)
    assert (answer.kind, answer.dead, answer.effect) == (AnswerKind.SILENT, True, True)
    assert answer.evidence is Evidence.STRONG


def test_a_slow_answer_in_time_is_an_answer(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    simulator.fault(box.address.username, "slow", seconds=0.3)
    assert sent(driver, box).kind is AnswerKind.CONFIRMED


def test_a_late_answer_is_told_with_its_evidence(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    has_said_all(hasty, box, simulator)
    simulator.fault(box.address.username, "slow", seconds=2)
    command_id = uuid4().hex
    early = hasty.send(box, UNLOCK, command_id=command_id, wait_s=0.1)
    assert (early.kind, early.dead) == (AnswerKind.SILENT, False)
    eventually(lambda: [late for late in told.late if late[0] == command_id])
    late = next(answer for each, answer in told.late if each == command_id)
    assert (late.kind, late.effect, late.evidence) == (AnswerKind.CONFIRMED, True, Evidence.STRONG)


def test_an_answer_that_a_dead_process_waited_for_is_told_to_the_next(
    broker: LocalBroker, driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    simulator.fault(box.address.username, "slow", seconds=1)
    assert driver.alive(box)
    command_id = uuid4().hex
    threading.Thread(
        target=lambda: driver.send(box, UNLOCK, command_id=command_id, wait_s=0.1), daemon=True
    ).start()
    eventually(lambda: command_id in driver._memory(box.address).sent)
    driver._memory(box.address).sent.clear()  # as a new process would know nothing of it
    eventually(lambda: [late for late in told.late if late[0] == command_id])
    late = next(answer for each, answer in told.late if each == command_id)
    assert (late.kind, late.evidence, late.sent) == (AnswerKind.CONFIRMED, Evidence.NONE, "")


def test_a_connection_that_ends_before_the_answer_makes_the_command_lost(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    simulator.fault(name, "slow", seconds=20)

    def ends() -> float:
        eventually(lambda: simulator.log(name))
        simulator.fault(name, "offline")
        return time.monotonic()

    with ThreadPoolExecutor(1) as other:
        ended = other.submit(ends)
        answer = sent(driver, box, wait_s=10)
        waited = time.monotonic() - ended.result()
    assert (answer.kind, answer.dead, answer.effect) == (AnswerKind.LOST, True, None)
    assert waited < 5
    assert (name, False) in told.connections


def test_no_command_leaves_for_a_box_that_does_not_answer(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    simulator.fault(box.address.username, "silent")
    # What it says on connecting is a sign of life when it comes.
    hasty.watch(box)
    eventually(lambda: hasty.state(box).flag("connected"))
    eventually(lambda: not hasty.alive(box, within_s=0.3), within_s=10)
    with pytest.raises(BoxUnreachable):
        sent(hasty, box)
    assert simulator.log(box.address.username) == []
    assert (BoxUnreachable.may_have_acted, BoxUnreachable.temporary) == (False, True)


def test_a_sign_of_life_ends_with_the_connection(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    name = box.address.username
    assert driver.alive(box)
    simulator.fault(name, "offline")
    eventually(lambda: driver.state(box).flag("connected") is False)
    assert driver.alive(box, within_s=0.1) is False
    simulator.fault(name, "reconnect")
    eventually(lambda: driver.alive(box, within_s=0.2))


def test_a_box_that_comes_back_finds_no_stale_command(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    name = box.address.username
    assert driver.alive(box)
    simulator.fault(name, "offline")
    eventually(lambda: driver.state(box).flag("connected") is False)
    topic = f"{box.address.prefix}client/glovebox/command/stale"
    driver._link.publish(topic, "unlock 4711", expiry_s=1)  # what no caller can do
    time.sleep(1.2)
    simulator.fault(name, "reconnect")
    eventually(lambda: driver.alive(box, within_s=0.2))
    assert simulator.log(name) == []


def test_a_command_carried_out_twice_is_answered_once(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    simulator.fault(box.address.username, "executes_twice")
    before = len(told.late)
    assert sent(driver, box).kind is AnswerKind.CONFIRMED
    assert simulator.log(box.address.username)[0]["executed"] == 2
    assert len(told.late) == before


def test_a_command_id_is_good_for_one_command(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    driver.send(box, UNLOCK, command_id="once")
    with pytest.raises(BadCommand):
        driver.send(box, UNLOCK, command_id="once")
    for bad in ("a/b", "+", "#", "", "x" * 65, "a\n"):
        with pytest.raises(BadCommand):
            driver.send(box, UNLOCK, command_id=bad)
    assert len(simulator.log(box.address.username)) == 1


def test_an_address_cannot_leave_its_topic(driver: OvmsBoxes) -> None:
    for username, vehicle in (("+", "CAR"), ("box1/CAR", "x"), ("box1", "#"), ("", "CAR")):
        with pytest.raises(BadCommand):
            driver.alive(Box(BoxAddress(username, vehicle)))


def test_keys_taken_from_the_glove_box_are_seen(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    driver.watch(box)
    name = box.address.username
    assert driver.fresh(box, ("keys_in_glove_box",)).flag("keys_in_glove_box") is True
    simulator.move(name, "keys", in_glove_box=False)
    eventually(
        lambda: any(who == name and got.get("keys_in_glove_box") is False for who, got in told.readings)
    )
    assert driver.fresh(box, ("keys_in_glove_box",)).flag("keys_in_glove_box") is False


def test_a_drive_is_seen_in_the_readings(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    before = driver.fresh(box, ("odometer_km", "charge_percent", "latitude"))
    simulator.move(box.address.username, "drive", km=12, minutes=20)
    after = driver.fresh(box, ("odometer_km", "charge_percent", "latitude"))
    assert (after.number("odometer_km") or 0) - (before.number("odometer_km") or 0) == pytest.approx(
        12, abs=0.2
    )
    assert (after.number("charge_percent") or 0) < (before.number("charge_percent") or 0)


def test_a_ping_brings_the_state_or_says_unreachable(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    assert sent(hasty, box, Command(CommandKind.PING)).state.flag("locked") is True
    simulator.fault(box.address.username, "silent")
    # The rest of the first answer may still be on its way, and is a sign of life when it comes.
    eventually(lambda: not hasty.fresh(box, LOCK_NAMES, within_s=0.2))
    with pytest.raises(BoxUnreachable):
        sent(hasty, box, Command(CommandKind.PING))


def test_charging_is_started_and_shown(driver: OvmsBoxes, cast: Cast, simulator: Simulator) -> None:
    box = cast.box()
    simulator.move(box.address.username, "plug", plugged=True)
    stopped = sent(driver, box, Command(CommandKind.CHARGE_STOP))
    assert (stopped.kind, stopped.effect) == (AnswerKind.CONFIRMED, True)
    limited = sent(driver, box, Command(CommandKind.CHARGE_LIMIT, amps=16))
    assert (limited.kind, limited.effect, limited.evidence) == (AnswerKind.CONFIRMED, None, Evidence.NONE)


def test_a_sleeping_car_is_woken(driver: OvmsBoxes, cast: Cast) -> None:
    answer = sent(driver, cast.box(), Command(CommandKind.WAKEUP))
    assert (answer.kind, answer.effect) == (AnswerKind.CONFIRMED, True)


def test_words_we_do_not_know_leave_the_command_unknown_but_dead(driver: OvmsBoxes, cast: Cast) -> None:
    answer = sent(driver, cast.box(), Command(CommandKind.CLIMATE, on=True))
    assert (answer.kind, answer.dead) == (AnswerKind.SILENT, True)


def test_many_threads_open_many_cars_at_once(driver: OvmsBoxes, cast: Cast) -> None:
    boxes = [cast.box() for _ in range(4)]
    answers: dict[str, AnswerKind] = {}
    threads = [
        threading.Thread(
            target=lambda box=box: answers.update({box.address.username: sent(driver, box).kind})
        )
        for box in boxes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert list(answers.values()) == [AnswerKind.CONFIRMED] * 4


def test_events_and_presence_pass(driver: OvmsBoxes, cast: Cast, told: Told) -> None:
    box = cast.box()
    driver.announce(box, present=True)
    sent(driver, box)
    eventually(lambda: (box.address.username, "vehicle.unlocked") in told.events)
    assert (box.address.username, True) in told.connections


def test_a_charge_that_stops_is_alerted(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    assert driver.alive(box)
    simulator.move(name, "plug", plugged=True)
    simulator.move(name, "plug", plugged=False)
    eventually(lambda: (name, "alert.charge.stopped") in told.events)


def test_a_car_that_is_carried_away_is_told_as_a_reading(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    assert driver.alive(box)
    simulator.move(name, "tow", latitude=48.9, longitude=2.4)
    eventually(lambda: (name, {"carried": True}) in told.readings)


def test_a_forgotten_box_is_heard_no_longer_and_has_no_readings(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box, other = cast.box(), cast.box()
    name = box.address.username
    assert driver.alive(box)
    assert driver.alive(other)
    driver.forget(box.address)
    before = sum(who == name for who, _ in told.readings)
    for each in (box, other):
        simulator.move(each.address.username, "keys", in_glove_box=False)
    driver.watch(other)
    eventually(lambda: driver.state(other).flag("keys_in_glove_box") is False)
    assert len(driver.state(box)) == 0
    assert sum(who == name for who, _ in told.readings) == before


def test_a_box_that_invents_vehicles_is_not_remembered_for_them(
    driver: OvmsBoxes, cast: Cast, told: Told
) -> None:
    box = cast.box()
    assert driver.alive(box)
    known = len(driver._boxes)
    name = box.address.username
    for number in range(3):
        driver._arrived(f"ovms/{name}/INVENTED{number}/metric/v/b/soc", "99", False)
        driver._arrived(f"ovms/{name}/INVENTED{number}/client/c/response/{number}", "Vehicle locked", False)
    assert len(driver._boxes) == known
    assert driver.state(box).number("charge_percent") != 99


def test_two_clients_hear_the_boxes_that_each_watches_and_its_own_answers(
    broker: LocalBroker, driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    ours, theirs = cast.box(), cast.box()
    told = Told()
    second = OvmsBoxes(
        BrokerAddress("127.0.0.1", broker.port, "backend", "pw-backend", client_id="second"), told, real_time
    )
    second.start()
    try:
        eventually(lambda: second.up)
        second.watch(theirs)
        driver.watch(ours)
        assert sent(second, theirs).kind is AnswerKind.CONFIRMED
        assert sent(driver, ours).kind is AnswerKind.CONFIRMED
        assert {who for who, _ in told.readings} == {theirs.address.username}
        assert told.late == []
        for box in (ours, theirs):
            assert [entry["executed"] for entry in simulator.log(box.address.username)] == [1]
    finally:
        second.stop()


def test_many_boxes_are_heard_after_each_connection_and_asked_without_waiting(
    broker: LocalBroker, cast: Cast
) -> None:
    """More than are subscribed at once."""
    boxes = [cast.box() for _ in range(2 * AT_ONCE + 1)]
    told = Told()
    door = OvmsBoxes(
        BrokerAddress("127.0.0.1", broker.port, "backend", "pw-backend", client_id="many"), told, real_time
    )
    for box in boxes:
        door.watch(box)
    door.start()
    try:
        eventually(lambda: all("locked" in door.state(box) for box in boxes))
        line = door._link._client.socket()
        assert line is not None
        with socket.socket(fileno=os.dup(line.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)  # the connection breaks
        eventually(lambda: not door.up)
        eventually(lambda: door.up)
        for box in boxes:
            door.ask(box, ("locked",))
        eventually(lambda: all(door.state(box).at("locked") for box in boxes))
    finally:
        door.stop()


def test_without_a_broker_nothing_is_sent() -> None:
    driver = OvmsBoxes(BrokerAddress("127.0.0.1", free_port(), "backend", "x"), None, real_time)
    driver.start()
    box = Box(BoxAddress("box1", "CAR"), DoorWiring(pin="4711"))
    with pytest.raises(BrokerDown):
        sent(driver, box)
    driver.stop()
    assert not driver.up


def test_arrival_is_stamped_by_the_given_clock(driver: OvmsBoxes, cast: Cast) -> None:
    reading = driver.fresh(cast.box(), ("locked",))["locked"]
    assert reading.received_at.utcoffset() == timedelta(0)
    assert abs(real_time() - reading.received_at) < timedelta(seconds=5)


def test_a_stalled_link_that_comes_back_opens_late_once_and_is_told(
    hasty: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    has_said_all(hasty, box, simulator)
    simulator.fault(name, "frozen")
    time.sleep(0.1)
    command_id = uuid4().hex
    early = hasty.send(box, UNLOCK, command_id=command_id, wait_s=0.1)
    assert (early.kind, early.dead) == (AnswerKind.SILENT, False)
    simulator.fault(name, "none")  # the bytes were on their way: no expiry reaches them
    eventually(lambda: [late for late in told.late if late[0] == command_id])
    late = next(answer for each, answer in told.late if each == command_id)
    assert (late.kind, late.effect, late.evidence) == (AnswerKind.CONFIRMED, True, Evidence.STRONG)
    assert [entry["executed"] for entry in simulator.log(name)] == [1]
