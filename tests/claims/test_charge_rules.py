"""The step table, written out a second time, and what must hold of every hearing."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claims.charge_rules import (
    ANSWER_WITHIN,
    APPEAL_WITHIN,
    DAMAGE_CAP,
    DOCUMENTED,
    FINAL,
    FINE_CAP,
    MADE_WITHIN,
    OTHER_CAP,
    TABLE,
    TOLL_CAP,
    Kind,
    State,
    Step,
    after,
    bounds,
    cap_of,
    charge_not_before,
    made_until,
    steps,
)
from app.kit.errors import NotAllowed, StepNotAllowed
from app.rentals import end
from app.rentals.lifecycle import Role
from tests.kit.step_table import done, rows_of, said

CONTRACT = """
open       accept      accepted   driver
open       contest     contested  driver
open       unanswered  contested  clock
open       withdraw    withdrawn  owner
accepted   contest     contested  driver
accepted   withdraw    withdrawn  owner
accepted   close       closed     clock
contested  accept      accepted   driver
contested  contest     contested  driver
contested  withdraw    withdrawn  owner
contested  decide      decided    operator
decided    appeal      appealed   driver owner
decided    withdraw    withdrawn  owner
decided    close       closed     clock
appealed   withdraw    withdrawn  owner
appealed   decide      closed     operator
"""
ROWS = rows_of(CONTRACT)
GUIDE = Path(__file__).parent.parent.parent / "docs" / "guides" / "charge-requests.md"
AT = datetime(2027, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(("state", "role"), list(itertools.product(State, Role)))
def test_every_state_step_and_role_does_what_the_contract_says(state: State, role: Role) -> None:
    assert done(after, state, role, Step) == said(ROWS, state, role, Step)


def test_the_guide_prints_the_table_as_it_is() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| ([\w, ]+) \| `(\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE
    )
    printed = {(state, step): (following, set(who.split(", "))) for state, step, who, following in rows}
    assert printed == ROWS


def test_a_final_state_has_no_step_so_what_was_charged_is_never_lowered_by_a_hearing() -> None:
    assert [pair for pair in TABLE if pair[0] in FINAL] == []


def test_nothing_is_closed_but_what_was_accepted_or_decided_and_by_no_party_of_the_rental() -> None:
    into = {
        (state, step): roles
        for (state, step), (following, roles) in TABLE.items()
        if following is State.CLOSED
    }
    assert {state for state, _ in into} == {State.ACCEPTED, State.DECIDED, State.APPEALED}
    assert frozenset().union(*into.values()) == {Role.CLOCK, Role.OPERATOR}


def test_the_owner_can_take_it_back_as_long_as_nothing_was_charged() -> None:
    assert {state for state in State if Step.WITHDRAW in steps(state, Role.OWNER)} == set(State) - FINAL


def test_a_hearing_ends_whatever_the_two_sides_do() -> None:
    """The clock and the operators alone bring each state to its end."""
    for start in set(State) - FINAL:
        here = start
        for _ in State:
            ways = [
                following
                for (state, _), (following, roles) in TABLE.items()
                if state is here and roles & {Role.CLOCK, Role.OPERATOR}
            ]
            here = ways[0] if ways else here
        assert here in FINAL, start


def test_the_window_of_the_owner_is_the_one_the_rental_waits_for() -> None:
    assert MADE_WITHIN == end.CHARGE_REQUEST_WINDOW


@pytest.mark.parametrize("kind", Kind)
def test_an_owner_asks_within_14_days_and_a_year_for_a_document(kind: Kind) -> None:
    assert made_until(kind, AT) - AT == timedelta(days=365 if kind in DOCUMENTED else 14)


@given(st.sampled_from(State), st.integers(0, 400))
def test_nothing_is_charged_before_the_answer_window_unless_an_operator_decided(
    state: State, hours: int
) -> None:
    answer_by, at = AT + ANSWER_WITHIN, AT + timedelta(hours=hours)
    found = charge_not_before(state, answer_by=answer_by, at=at)
    if state in (State.OPEN, State.ACCEPTED):
        assert found is not None
        assert found >= answer_by
    elif state is State.DECIDED:
        assert found == at + APPEAL_WITHIN
    else:
        assert found == (at if state is State.CLOSED else None)


@pytest.mark.parametrize(
    ("kind", "terms", "document", "most", "rule"),
    [
        (Kind.CLEANING, {"cleaning": 4000}, None, 4000, "cleaning"),
        (Kind.CLEANING, {}, None, 0, "cleaning"),
        (Kind.REFUEL, {"refuel": 2500}, None, 2500, "refuel"),
        (Kind.REFUEL, {"refuel": None}, None, 0, "refuel"),
        (Kind.DAMAGE, {"deposit": 50000}, None, 50000, "deposit"),
        (Kind.DAMAGE, {"deposit": 0}, None, DAMAGE_CAP, "damage"),
        (Kind.FINE, {}, None, FINE_CAP, "fine"),
        (Kind.FINE, {}, 9000, 9000, "document"),
        (Kind.FINE, {}, FINE_CAP + 1, FINE_CAP, "fine"),
        (Kind.TOLL, {}, None, TOLL_CAP, "toll"),
        (Kind.TOLL, {}, 640, 640, "document"),
        (Kind.OTHER, {"deposit": 50000}, None, OTHER_CAP, "other"),
    ],
)
def test_the_cap_of_each_kind(
    kind: Kind, terms: dict[str, int], document: int | None, most: int, rule: str
) -> None:
    found = cap_of(kind, terms, document)
    assert (found.amount, found.rule, found.together) == (most, rule, kind not in DOCUMENTED)


@given(st.integers(1, 10**6), st.data())
def test_nobody_is_worse_off_by_an_appeal_and_nothing_is_above_what_was_asked(
    asked: int, data: st.DataObject
) -> None:
    least, most = bounds(asked, None, None)
    assert (least, most) == (0, asked)
    first = data.draw(st.integers(least, most))
    lowest, highest = bounds(asked, first, Role.DRIVER)
    assert (lowest, highest) == (0, first)
    lowest, highest = bounds(asked, first, Role.OWNER)
    assert (lowest, highest) == (first, asked)


@given(st.lists(st.tuples(st.sampled_from(Step), st.sampled_from([*Role])), max_size=30))
def test_whatever_is_tried_money_moves_once_at_most_and_only_at_the_very_end(
    tries: list[tuple[Step, Role]],
) -> None:
    state, charged = State.OPEN, 0
    heard = False
    for step, role in tries:
        try:
            following = after(state, step, role)
        except (StepNotAllowed, NotAllowed):
            continue
        assert not charged
        heard = heard or step in (Step.ACCEPT, Step.DECIDE)
        state = following
        if state is State.CLOSED:
            charged += 1
            assert heard
    assert charged <= 1
