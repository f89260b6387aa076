"""A table of steps, written out a second time: what it says of each cell, and what the code does there."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from app.kit.errors import NotAllowed, StepNotAllowed

Rows = dict[tuple[str, str], tuple[str, set[str]]]
"""(state, step) -> the state that follows, and who may take the step."""


def rows_of(contract: str) -> Rows:
    """A line each: state, step, following state, roles."""
    return {
        (row[0], row[1]): (row[2], set(row[3:])) for line in contract.split("\n") if (row := line.split())
    }


def said(rows: Rows, state: StrEnum, role: StrEnum, steps: Iterable[StrEnum]) -> dict[str, Any]:
    """By step: the state that follows, "not allowed", or for no such step the state and the role's own steps there."""
    own = sorted(step for (at, step), (_, roles) in rows.items() if at == state.value and role.value in roles)
    found: dict[str, Any] = {}
    for step in steps:
        following, roles = rows.get((state.value, step.value), ("", set()))
        found[step.value] = (
            following if role.value in roles else "not allowed" if roles else (state.value, own)
        )
    return found


def done(
    after: Callable[..., Any], state: StrEnum, role: StrEnum, steps: Iterable[StrEnum]
) -> dict[str, Any]:
    """The same, as the code has it."""
    found: dict[str, Any] = {}
    for step in steps:
        try:
            found[step.value] = after(state, step, role).value
        except NotAllowed:
            found[step.value] = "not allowed"
        except StepNotAllowed as refused:
            found[step.value] = (refused.members["state"], sorted(refused.members["steps"]))
    return found
