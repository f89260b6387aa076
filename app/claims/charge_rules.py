"""The rules of a charge request, pure: who may step from where, the windows, the caps, what may be decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from app.kit.errors import NotAllowed, StepNotAllowed
from app.rentals.lifecycle import Role


class Kind(StrEnum):
    DAMAGE = "damage"
    FINE = "fine"
    TOLL = "toll"
    CLEANING = "cleaning"
    REFUEL = "refuel"
    OTHER = "other"


class State(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    CONTESTED = "contested"
    DECIDED = "decided"
    APPEALED = "appealed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    ACCEPT = "accept"
    CONTEST = "contest"
    UNANSWERED = "unanswered"
    WITHDRAW = "withdraw"
    DECIDE = "decide"
    APPEAL = "appeal"
    CLOSE = "close"


FINAL = frozenset({State.CLOSED, State.WITHDRAWN})
DOCUMENTED = frozenset({Kind.FINE, Kind.TOLL})
"""Asked by a third party's document, which may come months later."""
ANSWER_WITHIN, APPEAL_WITHIN = timedelta(hours=72), timedelta(days=14)
MADE_WITHIN, DOCUMENTED_WITHIN = timedelta(days=14), timedelta(days=365)
PER_RENTAL = 50
"""Charge requests of one rental, those withdrawn too."""

_DRIVER, _OWNER, _BOTH = (
    frozenset({Role.DRIVER}),
    frozenset({Role.OWNER}),
    frozenset({Role.DRIVER, Role.OWNER}),
)
_OPERATOR, _CLOCK = frozenset({Role.OPERATOR}), frozenset({Role.CLOCK})

TABLE: dict[tuple[State, Step], tuple[State, frozenset[Role]]] = {
    (State.OPEN, Step.ACCEPT): (State.ACCEPTED, _DRIVER),
    (State.OPEN, Step.CONTEST): (State.CONTESTED, _DRIVER),
    (State.OPEN, Step.UNANSWERED): (State.CONTESTED, _CLOCK),
    (State.OPEN, Step.WITHDRAW): (State.WITHDRAWN, _OWNER),
    (State.ACCEPTED, Step.CONTEST): (State.CONTESTED, _DRIVER),
    (State.ACCEPTED, Step.WITHDRAW): (State.WITHDRAWN, _OWNER),
    (State.ACCEPTED, Step.CLOSE): (State.CLOSED, _CLOCK),
    (State.CONTESTED, Step.ACCEPT): (State.ACCEPTED, _DRIVER),
    (State.CONTESTED, Step.CONTEST): (State.CONTESTED, _DRIVER),
    (State.CONTESTED, Step.WITHDRAW): (State.WITHDRAWN, _OWNER),
    (State.CONTESTED, Step.DECIDE): (State.DECIDED, _OPERATOR),
    (State.DECIDED, Step.APPEAL): (State.APPEALED, _BOTH),
    (State.DECIDED, Step.WITHDRAW): (State.WITHDRAWN, _OWNER),
    (State.DECIDED, Step.CLOSE): (State.CLOSED, _CLOCK),
    (State.APPEALED, Step.WITHDRAW): (State.WITHDRAWN, _OWNER),
    (State.APPEALED, Step.DECIDE): (State.CLOSED, _OPERATOR),
}
"""Money moves on entering `closed`, from which no step leads: what was charged is never lowered by a hearing."""


def after(state: State, step: Step, role: Role) -> State:
    """The state that follows. Raises StepNotAllowed with the steps possible now, NotAllowed for the wrong role."""
    found = TABLE.get((state, step))
    if found is None:
        raise StepNotAllowed(
            f"A charge request that is {state} has no step {step}.",
            state=state.value,
            steps=[one.value for one in steps(state, role)],
        )
    following, roles = found
    if role not in roles:
        raise NotAllowed(f"Only {' or '.join(sorted(roles))} may {step}.", role=role.value)
    return following


def steps(state: State, role: Role) -> list[Step]:
    """What the role may do in a state, by this table alone."""
    return [step for (from_state, step), (_, roles) in TABLE.items() if from_state is state and role in roles]


# -- when ------------------------------------------------------------------------------------------------------------


def made_until(kind: Kind, ended_at: datetime) -> datetime:
    """Up to when an owner may ask, from the rental's end."""
    return ended_at + (DOCUMENTED_WITHIN if kind in DOCUMENTED else MADE_WITHIN)


def charge_not_before(state: State, *, answer_by: datetime, at: datetime) -> datetime | None:
    """Before when nothing is charged, entering `state` at `at`; None while nobody can say.

    Accepted, too, it waits for the end of the answer window: until then the driver may think again.
    """
    if state is State.OPEN:
        return answer_by
    if state is State.ACCEPTED:
        return max(answer_by, at)
    if state is State.DECIDED:
        return at + APPEAL_WITHIN
    return at if state is State.CLOSED else None


# -- how much --------------------------------------------------------------------------------------------------------

DAMAGE_CAP, FINE_CAP, TOLL_CAP, OTHER_CAP = 1000_00, 1500_00, 500_00, 200_00
"""Minor units, the same number in each currency. Figures of the product: a damage beyond is the insurer's matter, a fine
beyond goes to the driver by the hand-over letter."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that may be asked: in one request, or in all of this kind of a rental together."""

    amount: int
    rule: str
    together: bool


def cap_of(kind: Kind, terms: Mapping[str, Any], document_amount: int | None) -> Cap:
    """By the terms frozen in the rental, else by the figures above; a document's own amount is never exceeded."""
    if kind in DOCUMENTED:
        most = FINE_CAP if kind is Kind.FINE else TOLL_CAP
        if document_amount is not None and document_amount < most:
            return Cap(document_amount, "document", together=False)
        return Cap(most, kind.value, together=False)
    if kind in (Kind.CLEANING, Kind.REFUEL):
        return Cap(terms.get(kind.value) or 0, kind.value, together=True)
    if kind is Kind.OTHER:
        return Cap(OTHER_CAP, "other", together=True)
    deposit = terms.get("deposit") or 0
    return Cap(deposit or DAMAGE_CAP, "deposit" if deposit else "damage", together=True)


def bounds(asked: int, first: int | None, appealed_by: Role | None) -> tuple[int, int]:
    """From what to what an operator may decide: never above what was asked, and nobody is worse off by an appeal."""
    if first is None or appealed_by is None:
        return 0, asked
    return (0, first) if appealed_by is Role.DRIVER else (first, asked)
