"""The step table, written out a second time: what stands here is the contract, the code must say the same."""

import itertools

import pytest

from app.kit.errors import StepNotAllowed
from app.rentals.lifecycle import FINAL, TABLE, Role, State, Step, after, steps
from tests.kit.step_table import done, rows_of, said

CONTRACT = """
requested  approve       booked      owner
requested  decline       declined    owner
requested  withdraw      withdrawn   driver
requested  lapse         lapsed      clock
requested  cancel        cancelled   system
booked     cancel        cancelled   driver owner system
booked     swap          cancelled   driver
booked     extend        booked      driver
active     extend        active      driver
booked     unlock        unlocking   driver
unlocking  unlock        unlocking   driver
booked     opened        active      box
unlocking  opened        active      box
unlocking  not_opened    booked      box
active     pause         active      driver
active     unlock        active      driver
unlocking  lock          locking     driver
active     lock          locking     driver
locking    lock          locking     driver
locking    unlock        active      driver
locking    locked        ended       box
active     locked        ended       box
locking    lock_refused  active      box system
unlocking  close         ended       owner operator
active     close         ended       owner operator
locking    close         ended       owner operator
booked     no_show       no_show     clock
ended      settle        settled     system clock
"""
ROWS = rows_of(CONTRACT)


@pytest.mark.parametrize(("state", "role"), list(itertools.product(State, Role)))
def test_every_state_step_and_role_does_what_the_contract_says(state: State, role: Role) -> None:
    assert done(after, state, role, Step) == said(ROWS, state, role, Step)


@pytest.mark.parametrize(("state", "role"), list(itertools.product(State, Role)))
def test_the_steps_that_are_offered_are_those_that_are_taken(state: State, role: Role) -> None:
    for step in steps(state, role):
        assert after(state, step, role) in State


def test_from_each_state_a_final_one_is_reached_without_the_box() -> None:
    people_and_clock = {Role.DRIVER, Role.OWNER, Role.OPERATOR, Role.CLOCK}
    for start in State:
        reached, frontier = {start}, [start]
        while frontier:
            here = frontier.pop()
            for (state, _), (following, roles) in TABLE.items():
                if state is here and roles & people_and_clock and following not in reached:
                    reached.add(following)
                    frontier.append(following)
        assert reached & FINAL, f"a rental could stay {start} for good"


def test_a_final_state_has_no_step() -> None:
    assert not [pair for pair in TABLE if pair[0] in FINAL]


@pytest.mark.parametrize("state", [State.UNLOCKING, State.ACTIVE, State.LOCKING])
def test_cancelling_a_rental_that_is_out_points_to_the_lock(state: State) -> None:
    with pytest.raises(StepNotAllowed) as refused:
        after(state, Step.CANCEL, Role.DRIVER)
    assert refused.value.members["remedy"] == "lock"
