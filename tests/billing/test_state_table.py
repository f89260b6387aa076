import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from app.billing.state_table import TABLE, Event, Row, Then, follow
from app.billing.states import OWING, TAKEN, State

ROOT = Path(__file__).parent.parent.parent
NEWS = {
    Event.HELD,
    Event.ASKS_HOLDER,
    Event.REFUSED,
    Event.TAKEN,
    Event.LET_GO,
    Event.RENEWED,
    Event.NOT_RENEWED,
}
TAKES = {Then.CHARGE, Then.CAPTURE}


@dataclass(frozen=True)
class Standing:
    """A payment as a row sees it; open, and nothing special, unless said."""

    owed: int | None = None
    charging: bool = False
    written_off: bool = False
    has_intent: bool = False
    is_deposit: bool = False
    inspected: bool = False
    over: int = 0
    disputed: bool = False
    given_back: bool = False


def standings() -> Iterator[Standing]:
    bools = (False, True)
    flags = itertools.product((None, 0, 500), bools, bools, bools, bools, bools, (-5, 0, 5), bools, bools)
    return itertools.starmap(Standing, flags)


EVERY = list(standings())


@cache
def moves() -> list[tuple[State, Event, Standing, Row]]:
    """Every state and event in every standing that something follows from, and what."""
    found = ((state, event, case, follow(state, event, case)) for state, event, case in cases())
    return [(state, event, case, row) for state, event, case, row in found if row is not None]


def cases() -> Iterator[tuple[State, Event, Standing]]:
    return itertools.product(State, Event, EVERY)


@pytest.mark.parametrize("event", Event)
def test_no_two_rows_hold_at_once(event: Event) -> None:
    rows = [row for row in TABLE if row.event is event]
    for one, other in itertools.combinations(rows, 2):
        if set(one.states) & set(other.states):
            assert not any(one.when(case) and other.when(case) for case in EVERY), (one, other)


def test_every_row_can_hold() -> None:
    assert {id(row) for *_, row in moves()} == {id(row) for row in TABLE}


def test_every_state_is_reached_from_the_first() -> None:
    reached, before = {State.HOLD_DUE}, set[State]()
    while reached != before:
        before = set(reached)
        reached |= {row.to for state, _, _, row in moves() if state in reached and row.to is not None}
    assert reached == set(State)


def test_money_that_was_taken_stays_taken_whatever_the_news() -> None:
    assert all(row.to in (None, *TAKEN) for state, _, _, row in moves() if state in TAKEN)
    assert not [event for state, event, _, _ in moves() if state in TAKEN and event in NEWS]


def test_of_what_was_taken_no_further_money_is_asked_by_the_same_payment() -> None:
    assert not [row for state, _, _, row in moves() if state in TAKEN and row.then in {*TAKES, Then.HOLD}]


def test_what_is_free_again_is_left_by_money_that_was_taken_after_all_and_by_nothing_else() -> None:
    assert {event for state, event, _, _ in moves() if state is State.RELEASED} == {Event.TAKEN}


def test_money_that_was_taken_counts_in_every_state() -> None:
    for state in set(State) - TAKEN:
        row = follow(state, Event.TAKEN, Standing())
        assert row is not None, state
        assert row.to is State.CAPTURED, state


def test_nothing_is_taken_of_a_rental_that_owes_nothing() -> None:
    asked = [(state, event) for state, event, case, row in moves() if case.owed == 0 and row.then in TAKES]
    assert {event for _, event in asked} <= {
        Event.CHARGE
    }  # whoever asks has looked what is owed: `hold.retry`


def test_a_rental_that_goes_on_is_taken_from_at_its_pickup_and_where_its_hold_would_be_lost_alone() -> None:
    asked = {
        (state, event)
        for state, event, case, row in moves()
        if case.owed is None and row.then in TAKES and event is not Event.CHARGE
    }
    assert asked == {
        (State.HELD, Event.PICKED_UP),
        (State.RENEWING, Event.NOT_RENEWED),
        (State.CAPTURING, Event.STEP_REFUSED),
    }


def test_nothing_of_a_deposit_is_taken_before_a_hearing_has_said_what_is_owed() -> None:
    taken = [
        (state, event)
        for state, event, case, row in moves()
        if case.is_deposit and case.owed is None and row.then in TAKES
    ]
    # a deposit is never picked up, charged or captured in part: these three ask for rent alone
    assert {event for _, event in taken} <= {Event.PICKED_UP, Event.STEP_REFUSED, Event.CHARGE}


def test_what_is_owed_and_asked_for_waits_for_nobody_twice() -> None:
    """A charge that waits for its holder is not made again by a look at what is owed."""
    for state in (State.ACTION_REQUIRED, State.HOLD_FAILED):
        assert follow(state, Event.LOOK, Standing(owed=500, charging=True)) is None
        asked = follow(state, Event.LOOK, Standing(owed=500))
        assert asked is not None
        assert (asked.to, asked.then) == (State.CAPTURING, Then.CHARGE)


def test_stale_news_of_a_hold_changes_nothing_once_it_is_being_taken_or_freed() -> None:
    for state in (State.CAPTURING, State.RELEASING, State.HELD, *TAKEN):
        assert not [row for one, event, _, row in moves() if one is state and event is Event.HELD]


def test_a_charge_refused_again_after_it_was_written_off_stays_written_off() -> None:
    case = Standing(owed=500, charging=True, written_off=True)
    row = follow(State.CAPTURING, Event.REFUSED, case)
    assert row is not None
    assert row.to is State.WRITTEN_OFF


def test_only_what_is_owed_after_the_end_can_be_written_off() -> None:
    assert {state for state, event, _, _ in moves() if event is Event.WRITE_OFF} == set(OWING)


def test_the_guide_shows_the_table() -> None:
    guide = (ROOT / "docs" / "guides" / "payment-states.md").read_text("utf-8")
    shown = [line for line in guide.splitlines() if line.startswith("| `") and line.count("|") == 6]
    wanted = [_line(row) for row in TABLE]
    assert shown == wanted, "the guide's table is to be:\n" + "\n".join(wanted)


def _line(row: Row) -> str:
    among = [state for state in State if state in row.states]
    left = [state for state in State if state not in row.states]
    states = ", ".join(among) if len(among) <= len(left) else "all but " + ", ".join(left)
    to = f"`{row.to}`" if row.to is not None else "stays"
    then = "" if row.then is Then.NOTHING else f"`{row.then}`"
    return f"| `{row.event}` | {states} | {row.words} | {to} | {then} |"


def test_nothing_but_the_table_moves_a_payment() -> None:
    writes = re.compile(
        r"payment\.state\b.* = |\.state(?:, \S+)? = .*\bState\.[A-Z]|values\(.*\bstate=State\."
    )
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sorted((ROOT / "app").rglob("*.py"))
        if "app.billing.states import" in file.read_text("utf-8")
        for line in file.read_text("utf-8").splitlines()
        if writes.search(line) and "payment.state, payment.changed_at = state" not in line
    ]
    assert found == []
