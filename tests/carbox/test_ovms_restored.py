"""What a box had kept over a reboot, or a broker for who comes later, is believed once the car itself is heard."""

from datetime import UTC, datetime

import pytest

from carbox.box import BoxAddress
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress
from carbox.ovms import OvmsBoxes
from carbox.ovms_box import BoxMemory
from carbox.simulator.process import Simulator
from tests.carbox.box_rig import Cast, Told, eventually, has_said_all, real_time

AT = datetime(2026, 8, 1, tzinfo=UTC)


def connected(*told: tuple[str, str]) -> BoxMemory:
    """A box that has just come to the broker, and what it said then."""
    memory = BoxMemory(BoxAddress("box1", "CAR"))
    hears(memory, ("s.v3.connected", "yes"), *told)
    return memory


def hears(memory: BoxMemory, *told: tuple[str, str]) -> dict[str, bool]:
    """The readings these words brought, and whether their time is known."""
    found: dict[str, bool] = {}
    for metric, text in told:
        delta, _turned = memory.take(metric, text, retained=False, at=AT)
        found |= {name: one.at is not None for name, one in delta.items()}
    return found


def test_a_lock_told_on_connecting_is_of_unknown_age() -> None:
    memory = connected()
    assert hears(memory, ("v.e.locked", "yes"), ("v.b.12v.voltage", "12.6")) == {
        "locked": False,
        "battery_12v": True,
    }
    assert len(memory.since(0, ("locked",))) == 0


def test_a_door_shows_that_the_car_is_heard_and_what_came_before_counts_too() -> None:
    memory = connected(("v.p.odometer", "1200.4"), ("v.e.locked", "yes"))
    assert hears(memory, ("v.d.fl", "no")) == {"odometer_km": True, "locked": True, "door_fl": True}
    assert set(memory.since(0, ("locked", "odometer_km"))) == {"locked", "odometer_km"}
    assert hears(memory, ("v.e.locked", "no")) == {"locked": True}


def test_a_value_that_changes_is_seen_where_a_car_tells_no_door() -> None:
    memory = connected(("v.e.locked", "no"))
    assert hears(memory, ("v.e.locked", "no")) == {"locked": False}
    assert hears(memory, ("v.e.locked", "yes")) == {"locked": True}


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("v.e.parktime", "park_seconds"),
        ("v.e.drivetime", "drive_seconds"),
        ("v.b.range.ideal", "range_ideal_km"),
        ("v.b.range.est", "range_km"),
    ],
)
def test_what_the_box_counts_or_works_out_by_itself_shows_no_car(metric: str, name: str) -> None:
    memory = connected(("v.e.locked", "yes"), (metric, "180"))
    assert hears(memory, (metric, "240")) == {name: False}
    assert hears(memory, ("v.e.locked", "yes")) == {"locked": False}
    assert len(memory.since(0, ("locked",))) == 0


@pytest.mark.parametrize("ended", [("s.v3.connected", "no"), ("v.type", "DE")])
def test_each_connection_begins_anew_even_one_whose_end_nobody_told(ended: tuple[str, str]) -> None:
    """A broker tells no will of a session that its own box takes over."""
    memory = connected(("v.d.fl", "no"), ("v.e.locked", "no"))
    hears(memory, ended, ("s.v3.connected", "yes"))
    assert hears(memory, ("v.e.locked", "yes")) == {}
    assert memory.readings["locked"].value is False, "what is known with its time stays"
    assert hears(memory, ("v.d.fl", "no")) == {"locked": True, "door_fl": True}


def test_the_answer_to_a_request_is_no_new_connection() -> None:
    memory = connected(("v.d.fl", "no"))
    memory.asked_until = float("inf")
    assert hears(memory, ("s.v3.connected", "yes"), ("v.e.locked", "yes"))["locked"] is True


def test_our_own_connection_that_was_lost_may_have_hidden_a_reboot() -> None:
    memory = connected(("v.d.fl", "no"))
    memory.link_lost()
    assert hears(memory, ("v.e.locked", "yes")) == {"locked": False}


def test_a_box_that_tells_a_lock_and_no_door_is_asked_for_its_doors_once() -> None:
    memory = connected()
    assert not memory.doubts()
    hears(memory, ("v.e.locked", "yes"))
    assert [memory.doubts(), memory.doubts()] == [True, False]
    hears(memory, ("v.d.fl", "no"))
    assert not memory.doubts()


def test_a_rebooted_box_proves_nothing_until_its_car_stirs(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    eventually(lambda: driver.fresh(box, ("locked",)).flag("locked") is True)
    simulator.move(name, "reboot", seconds=0.5)
    simulator.move(name, "lock", locked=False)
    # boxes of earlier tests may only now be told to be gone
    eventually(lambda: [up for who, up in told.connections if who == name][-2:] == [False, True])
    state = driver.fresh(box, ("locked", "drivable", "battery_12v"))
    assert set(state) == {"battery_12v"}
    simulator.move(name, "doors", fl="open")
    eventually(lambda: driver.state(box).flag("locked") is False)
    assert driver.fresh(box, ("locked",)).flag("locked") is False


def test_a_box_that_lost_only_its_connection_is_believed_when_it_is_back(
    driver: OvmsBoxes, cast: Cast, simulator: Simulator, told: Told
) -> None:
    box = cast.box()
    name = box.address.username
    driver.watch(box)
    simulator.move(name, "lock", locked=False)
    eventually(lambda: driver.state(box).flag("locked") is False)
    simulator.fault(name, "offline")
    simulator.move(name, "lock", locked=True)
    eventually(lambda: (name, False) in told.connections)
    simulator.fault(name, "none")
    eventually(lambda: driver.state(box).flag("locked") is True and driver.state(box).at("locked"))


def test_what_the_broker_kept_is_of_unknown_age_until_it_is_sent_again(
    broker: LocalBroker, driver: OvmsBoxes, cast: Cast, simulator: Simulator
) -> None:
    box = cast.box()
    name = box.address.username
    driver.watch(box)
    eventually(lambda: driver.state(box).flag("locked") is True)
    has_said_all(driver, box, simulator)
    late_comer = OvmsBoxes(
        BrokerAddress("127.0.0.1", broker.port, "backend", "pw-backend", client_id="second"), None, real_time
    )
    late_comer.watch(box)
    late_comer.start()
    try:
        eventually(lambda: late_comer.state(box).flag("locked") is True)
        assert late_comer.state(box).at("locked") is None
        assert late_comer.alive(box, within_s=0.2) is False
        assert len(late_comer.fresh(box, ("locked",), within_s=0.2)) == 0
        simulator.fault(name, "none")
        fresh = late_comer.fresh(box, ("locked", "keys_in_glove_box"))
        assert set(fresh) == {"locked", "keys_in_glove_box"}
        assert late_comer.state(box).at("locked") is not None
    finally:
        late_comer.stop()
