"""The unlock is heard of last: custody and cover move back to it together, whatever lies before."""

from datetime import timedelta
from itertools import pairwise

from app.kit import clock
from app.rentals import outcome
from app.rentals.lifecycle import State
from tests.kit.clocks import set_database
from tests.rentals.garage import MINUTE, Garage, end_with_signal, start_with_signal, work_off


def second_door_first(garage: Garage) -> None:
    """Two doors without signal; the second is heard of, and after an hour nobody waits for the first any more."""
    garage.fetched()
    first = garage.do("unlock")
    clock.forward(3 * MINUTE)
    second = garage.do("unlock")
    assert garage.upload(second) == ["accepted"]
    clock.forward(61 * MINUTE)
    work_off()
    assert garage.upload(first) == ["accepted"]


def covered_is_held(garage: Garage) -> None:
    (cover,) = [one for one in garage.covers() if one.state == "active"]
    pieces = [one for one in garage.custody() if one[0] == "driver"]
    assert (pieces[0][1], pieces[-1][2]) == (cover.from_at, None)
    assert all(one[2] == following[1] for one, following in pairwise(pieces))
    assert garage.rental.started_at == cover.from_at


def test_custody_moves_back_with_its_cover(garage: Garage) -> None:
    second_door_first(garage)
    covered_is_held(garage)


def test_an_unlock_that_failed_before_keeps_custody_from_nothing(garage: Garage) -> None:
    outcome.apply(garage.scene.unlock().id, None)
    clock.forward(10 * MINUTE)
    second_door_first(garage)
    covered_is_held(garage)


def test_by_a_clock_that_was_put_back_nobody_held_the_car_before_it_was_there(garage: Garage) -> None:
    set_database(timedelta(seconds=-20))
    second_door_first(garage)
    covered_is_held(garage)
    (first, *_) = [begins for holder, begins, _ in garage.custody() if holder == "driver"]
    assert first >= garage.scene.car.made_at


def test_a_door_of_the_rental_that_is_heard_of_after_its_end_begins_nothing(garage: Garage) -> None:
    garage.fetched()
    start_with_signal(garage)
    clock.forward(10 * MINUTE)
    unlock = garage.do("unlock")
    clock.forward(10 * MINUTE)
    end_with_signal(garage)
    before = garage.custody()
    clock.forward(10 * MINUTE)
    assert garage.upload(unlock) == ["accepted"]
    assert garage.custody() == before
    assert [one.state for one in garage.covers() if one.state != "conditional"] == ["closed"]


def test_a_door_before_the_rental_that_is_heard_of_after_its_end_moves_the_beginning(garage: Garage) -> None:
    garage.fetched()
    clock.forward(5 * MINUTE)
    unlock = garage.do("unlock")
    clock.forward(5 * MINUTE)
    start_with_signal(garage)
    begun = garage.custody()[-1][1]
    clock.forward(10 * MINUTE)
    end_with_signal(garage)
    ended = garage.custody()[-1][1]
    assert garage.upload(unlock) == ["accepted"]
    (cover,) = [one for one in garage.covers() if one.state != "conditional"]
    assert (cover.state, cover.to_at) == ("closed", ended)
    assert cover.from_at < begun
    pieces = [one for one in garage.custody() if one[0] == "driver"]
    assert (pieces[0][1], pieces[-1][2]) == (cover.from_at, ended)
    assert garage.custody()[-1] == ("owner", ended, None)


def test_an_end_without_its_unlock_that_lies_before_an_unlock_that_failed_is_the_end(garage: Garage) -> None:
    garage.fetched()
    garage.do("unlock")
    clock.forward(5 * MINUTE)
    lock = garage.do("lock")
    clock.forward(5 * MINUTE)
    outcome.apply(garage.scene.unlock().id, None)
    clock.forward(5 * MINUTE)
    assert garage.upload(lock) == ["accepted"]
    clock.forward(61 * MINUTE)
    work_off()
    assert garage.stands() is State.ENDED
    (cover,) = [one for one in garage.covers() if one.state == "closed"]
    spans = garage.custody()
    assert ("driver", cover.from_at, cover.to_at) in spans
    assert spans[-1][0] == "owner"
    assert all(one[2] == following[1] for one, following in pairwise(spans))
