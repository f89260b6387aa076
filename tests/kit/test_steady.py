"""Whether the clocks run steadily, on clocks that the tests hold in hand."""

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.kit.steady import Watch, of_database, since_boot
from tests.kit.clocks import Clocks

BOUND, STEADY = 1.0, 60.0


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> Watch:
    made = clocks.watch(BOUND, STEADY)
    made.look()
    return made


def test_clocks_that_go_on_together_are_steady(clocks: Clocks, watch: Watch) -> None:
    for _ in range(100):
        clocks.go_on(5)
        watch.look()
    assert (watch.steady, watch.words(), watch.wait_s()) == (True, None, 0)


@pytest.mark.parametrize("by", [90, 1.5, -1.5, -3600])
def test_a_database_whose_clock_is_set_is_unsteady_until_it_was_steady_for_the_time_stated(
    clocks: Clocks, watch: Watch, by: float
) -> None:
    clocks.go_on(2)
    clocks.database += by
    clocks.wall += by
    watch.look()
    assert not watch.steady
    side = "forward" if by > 0 else "back"
    assert watch.words() == f"the database's clock was put {side} by {abs(by):.1f} s"
    assert watch.wait_s() == 60
    assert watch.moved == pytest.approx(by)
    clocks.go_on(STEADY - 1)
    watch.look()
    assert not watch.steady
    clocks.go_on(1)
    watch.look()
    assert (watch.steady, watch.words(), watch.moved) == (True, None, 0)


def test_a_second_step_begins_the_time_anew(clocks: Clocks, watch: Watch) -> None:
    clocks.step(30)
    watch.look()
    clocks.go_on(50)
    clocks.step(-30)
    watch.look()
    clocks.go_on(50)
    watch.look()
    assert not watch.steady
    clocks.go_on(10)
    watch.look()
    assert watch.steady


def test_a_clock_that_is_set_in_small_parts_is_noticed_too(clocks: Clocks, watch: Watch) -> None:
    for _ in range(4):
        clocks.go_on(3)
        clocks.step(0.4)
        watch.look()
    assert not watch.steady


def test_what_lies_below_the_bound_is_let_pass(clocks: Clocks, watch: Watch) -> None:
    clocks.step(0.9)
    watch.look()
    assert watch.steady


def test_only_this_machines_clock_set_is_a_step_and_then_a_difference_that_lasts(
    clocks: Clocks, watch: Watch
) -> None:
    clocks.go_on(2)
    clocks.wall += 10
    watch.look()
    assert watch.words() == "this machine's clock was put forward by 10.0 s"
    for _ in range(3):
        clocks.go_on(STEADY)
        watch.look()
        assert not watch.steady
    assert watch.words() == "this machine's clock is 10.0 s ahead of the database's"
    assert watch.apart == pytest.approx(10)


def test_a_machine_that_slept_has_had_no_step_and_one_that_was_halted_from_outside_has(
    clocks: Clocks, watch: Watch
) -> None:
    clocks.go_on(8 * 3600)
    watch.look()
    assert watch.steady
    clocks.go_on(2)
    watch.look()
    clocks.step(8 * 3600)  # nothing of it went on; then the clocks are set right
    watch.look()
    assert not watch.steady


def test_a_look_that_takes_long_is_no_step(clocks: Clocks, watch: Watch) -> None:
    clocks.slow = 40
    clocks.go_on(2)
    watch.look()
    clocks.slow = 0
    clocks.go_on(2)
    watch.look()
    assert watch.steady


def test_a_database_that_is_away_keeps_nobody_from_seeing_a_step_of_our_own(
    clocks: Clocks, watch: Watch
) -> None:
    clocks.away = True
    clocks.wall += 5
    with pytest.raises(OperationalError):
        watch.look()
    assert not watch.steady


def test_the_real_clocks_are_steady_and_agree(app: Flask) -> None:
    made = Watch(BOUND, STEADY)
    made.look()
    assert (made.steady, made.apart) == (True, 0)
    assert since_boot() > 0
    assert of_database() > 1_700_000_000
