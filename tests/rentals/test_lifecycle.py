import itertools

import pytest

from app.kit.errors import NotAllowed, StepNotAllowed
from app.rentals.lifecycle import FINAL, TABLE, Role, State, Step, after, steps


@pytest.mark.parametrize(("state", "step", "role"), list(itertools.product(State, Step, Role)))
def test_every_state_step_and_role_is_either_in_the_table_or_refused(
    state: State, step: Step, role: Role
) -> None:
    entry = TABLE.get((state, step))
    if entry is None:
        with pytest.raises(StepNotAllowed) as refused:
            after(state, step, role)
        assert refused.value.members["state"] == state.value
        assert refused.value.members["steps"] == [one.value for one in steps(state, role)]
    elif role not in entry[1]:
        with pytest.raises(NotAllowed):
            after(state, step, role)
    else:
        assert after(state, step, role) is entry[0]


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
