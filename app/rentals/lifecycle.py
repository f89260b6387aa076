"""THE STATE MACHINE of a rental, as a table: (state, step) -> state, and who may take the step. Everything else asks it."""

from enum import StrEnum

from app.kit.errors import NotAllowed, StepNotAllowed


class State(StrEnum):
    REQUESTED = "requested"
    BOOKED = "booked"
    UNLOCKING = "unlocking"
    ACTIVE = "active"
    LOCKING = "locking"
    ENDED = "ended"
    SETTLED = "settled"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


class Step(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"
    CANCEL = "cancel"
    SWAP = "swap"
    EXTEND = "extend"
    UNLOCK = "unlock"
    OPENED = "opened"
    NOT_OPENED = "not_opened"
    PAUSE = "pause"
    LOCK = "lock"
    LOCKED = "locked"
    LOCK_REFUSED = "lock_refused"
    CLOSE = "close"
    NO_SHOW = "no_show"
    SETTLE = "settle"


class Role(StrEnum):
    """Who takes a step; `owner` is also a manager of the community that owns the car."""

    DRIVER = "driver"
    OWNER = "owner"
    OPERATOR = "operator"
    SYSTEM = "system"
    CLOCK = "clock"
    BOX = "box"


FINAL = frozenset(
    {State.DECLINED, State.WITHDRAWN, State.LAPSED, State.CANCELLED, State.NO_SHOW, State.SETTLED}
)
OUT = frozenset({State.UNLOCKING, State.ACTIVE, State.LOCKING})
"""The driver has, or may have, the car."""

_DRIVER, _OWNER, _BOX = frozenset({Role.DRIVER}), frozenset({Role.OWNER}), frozenset({Role.BOX})
_CLOCK, _SYSTEM = frozenset({Role.CLOCK}), frozenset({Role.SYSTEM})
_CLOSERS = frozenset({Role.OWNER, Role.OPERATOR})
_CANCELLERS = frozenset({Role.DRIVER, Role.OWNER, Role.SYSTEM})

TABLE: dict[tuple[State, Step], tuple[State, frozenset[Role]]] = {
    (State.REQUESTED, Step.APPROVE): (State.BOOKED, _OWNER),
    (State.REQUESTED, Step.DECLINE): (State.DECLINED, _OWNER),
    (State.REQUESTED, Step.WITHDRAW): (State.WITHDRAWN, _DRIVER),
    (State.REQUESTED, Step.LAPSE): (State.LAPSED, _CLOCK),
    (State.REQUESTED, Step.CANCEL): (State.CANCELLED, _SYSTEM),
    (State.BOOKED, Step.CANCEL): (State.CANCELLED, _CANCELLERS),
    (State.BOOKED, Step.SWAP): (State.CANCELLED, _DRIVER),
    (State.BOOKED, Step.EXTEND): (State.BOOKED, _DRIVER),
    (State.ACTIVE, Step.EXTEND): (State.ACTIVE, _DRIVER),
    (State.BOOKED, Step.OPENED): (State.ACTIVE, _BOX),
    (State.BOOKED, Step.NO_SHOW): (State.NO_SHOW, _CLOCK),
    (State.BOOKED, Step.UNLOCK): (State.UNLOCKING, _DRIVER),
    (State.UNLOCKING, Step.UNLOCK): (State.UNLOCKING, _DRIVER),
    (State.UNLOCKING, Step.OPENED): (State.ACTIVE, _BOX),
    (State.UNLOCKING, Step.NOT_OPENED): (State.BOOKED, _BOX),
    (State.ACTIVE, Step.PAUSE): (State.ACTIVE, _DRIVER),
    (State.ACTIVE, Step.UNLOCK): (State.ACTIVE, _DRIVER),
    (State.UNLOCKING, Step.LOCK): (State.LOCKING, _DRIVER),
    (State.ACTIVE, Step.LOCK): (State.LOCKING, _DRIVER),
    (State.LOCKING, Step.LOCK): (State.LOCKING, _DRIVER),
    (State.LOCKING, Step.UNLOCK): (State.ACTIVE, _DRIVER),
    (State.LOCKING, Step.LOCKED): (State.ENDED, _BOX),
    (State.ACTIVE, Step.LOCKED): (State.ENDED, _BOX),
    (State.LOCKING, Step.LOCK_REFUSED): (State.ACTIVE, _BOX | _SYSTEM),
    (State.UNLOCKING, Step.CLOSE): (State.ENDED, _CLOSERS),
    (State.ACTIVE, Step.CLOSE): (State.ENDED, _CLOSERS),
    (State.LOCKING, Step.CLOSE): (State.ENDED, _CLOSERS),
    (State.ENDED, Step.SETTLE): (State.SETTLED, _SYSTEM | _CLOCK),
}
REMEDY = {Step.CANCEL: "lock"}
"""What to do instead, where a step is asked too late."""


def after(state: State, step: Step, role: Role) -> State:
    """The state that follows. Raises StepNotAllowed with the steps possible now, NotAllowed for the wrong role."""
    found = TABLE.get((state, step))
    if found is None:
        remedy = REMEDY.get(step) if state in OUT else None
        raise StepNotAllowed(
            f"A rental that is {state} cannot {step}." + (f" Use {remedy} instead." if remedy else ""),
            state=state.value,
            steps=[one.value for one in steps(state, role)],
            **({"remedy": remedy} if remedy else {}),
        )
    following, roles = found
    if role not in roles:
        raise NotAllowed(f"Only {' or '.join(sorted(roles))} may {step}.", role=role.value)
    return following


def steps(state: State, role: Role) -> list[Step]:
    """What the role may do in a state, by this table alone."""
    return [step for (from_state, step), (_, roles) in TABLE.items() if from_state is state and role in roles]
