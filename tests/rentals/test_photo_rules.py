"""The rules of photos, over every state, side and step."""

from datetime import UTC, datetime, timedelta

import pytest

from app.kit.errors import NotAllowed, StepNotAllowed
from app.rentals.lifecycle import Role, State
from app.rentals.photo_rules import ROUND, Angle, At, missing, require

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
STATES = {
    At.UNLOCK: "booked unlocking",
    At.LOCK: "active locking ended settled",
    At.DAMAGE: "unlocking active locking ended settled",
}


def allowed(
    at: At, state: State, role: Role = Role.DRIVER, *, now: datetime = START, ended_at: datetime | None = None
) -> bool:
    try:
        require(at, role, state, from_at=START, ended_at=ended_at, now=now)
    except (NotAllowed, StepNotAllowed):
        return False
    return True


@pytest.mark.parametrize("at", At)
@pytest.mark.parametrize("state", State)
def test_each_step_has_its_states(at: At, state: State) -> None:
    assert allowed(at, state) == (state.value in STATES[at].split())


@pytest.mark.parametrize("at", At)
@pytest.mark.parametrize("role", Role)
def test_unlock_and_lock_are_the_drivers_and_damage_both_sides(at: At, role: Role) -> None:
    state = State(STATES[at].split(maxsplit=1)[0])
    may = role is Role.DRIVER or (role is Role.OWNER and at is At.DAMAGE)
    assert allowed(at, state, role) == may


def test_before_the_unlock_is_from_an_hour_before_the_start() -> None:
    hour = timedelta(hours=1)
    assert not allowed(At.UNLOCK, State.BOOKED, now=START - hour - timedelta(seconds=1))
    assert allowed(At.UNLOCK, State.BOOKED, now=START - hour)


@pytest.mark.parametrize(("at", "days"), [(At.LOCK, 1), (At.DAMAGE, 365)])
def test_after_the_end_it_becomes_too_late(at: At, days: int) -> None:
    over = START + timedelta(days=days)
    assert allowed(at, State.ENDED, ended_at=START, now=over - timedelta(seconds=1))
    assert not allowed(at, State.ENDED, ended_at=START, now=over)


@pytest.mark.parametrize(
    ("rule", "at_unlock", "at_lock"),
    [("none", [], []), ("start", ROUND, []), ("end", [], ROUND), ("both", ROUND, ROUND)],
)
def test_a_rule_asks_for_once_round_the_car(rule: str, at_unlock: list[Angle], at_lock: list[Angle]) -> None:
    assert missing(At.UNLOCK, rule, ()) == list(at_unlock)
    assert missing(At.LOCK, rule, ()) == list(at_lock)


def test_what_is_there_is_not_missing() -> None:
    assert missing(At.UNLOCK, "both", {"front", "left", "damage"}) == [Angle.BACK, Angle.RIGHT]
    assert missing(At.UNLOCK, "both", {one.value for one in ROUND}) == []
