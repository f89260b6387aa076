"""The state machine of a payment, as one table: what may befall it in each state, where it then stands, what is asked next.

Pure. Nothing else moves a payment (`advance.befalls` does), and what no row names changes nothing: late, doubled and stale
news of the provider fall through.
"""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.billing.states import OWING, TAKEN, WAITING, State


class Event(StrEnum):
    """What befalls a payment: the provider's news of its present intent first, then what we decide."""

    HELD = "held"
    ASKS_HOLDER = "asks_holder"
    REFUSED = "refused"
    TAKEN = "taken"
    LET_GO = "let_go"
    NEVER_HELD = "never_held"
    RENEWED = "renewed"
    NOT_RENEWED = "not_renewed"
    REFUND_OVER = "refund_over"
    DISPUTE_MOVED = "dispute_moved"
    HOLD = "hold"
    CHARGE = "charge"
    RENEW = "renew"
    PICKED_UP = "picked_up"
    LOOK = "look"
    STEP_REFUSED = "step_refused"
    REFUND = "refund"
    WRITE_OFF = "write_off"
    NO_CARD = "no_card"
    DROPPED = "dropped"


class Then(StrEnum):
    """What follows a move. The first six are commands to the provider."""

    HOLD = "hold"
    HOLD_BESIDE = "hold_beside"
    CHARGE = "charge"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"
    FURTHER = "further"
    LOOK = "look"
    FREE = "free"
    FORGET = "forget"
    FORGET_INTENT = "forget_intent"
    BOOK = "book"
    NOTHING = "nothing"


class Case(Protocol):
    """What a row asks of the payment besides its state; each is looked up only where a row asks it."""

    @property
    def owed(self) -> int | None: ...  # None: the rental is open, what it costs is not known yet

    @property
    def charging(self) -> bool: ...  # the present attempt takes money at once, rather than holding it

    @property
    def written_off(self) -> bool: ...  # the books have given it up

    @property
    def has_intent(self) -> bool: ...

    @property
    def is_deposit(self) -> bool: ...

    @property
    def inspected(self) -> bool: ...  # a deposit whose car is back

    @property
    def over(self) -> int: ...  # so much more was taken than is owed; below zero, less

    @property
    def disputed(self) -> bool: ...  # a bank has the money back

    @property
    def given_back(self) -> bool: ...  # all that was taken


class Row(NamedTuple):
    """One rule: in these states, where `when` holds, the payment goes to `to` (None: it stays) and `then` follows."""

    event: Event
    states: Collection[State]
    to: State | None
    then: Then
    when: Callable[[Case], bool]
    words: str


def _always(_: Case) -> bool:
    return True


def _row(
    event: Event,
    states: State | Collection[State],
    to: State | None,
    then: Then = Then.NOTHING,
    when: Callable[[Case], bool] = _always,
    words: str = "",
) -> Row:
    among = frozenset({states} if isinstance(states, State) else states)
    return Row(event, among, to, then, when, words)


def _open(case: Case) -> bool:
    return case.owed is None


def _owes(case: Case) -> bool:
    return bool(case.owed)


def _owes_nothing(case: Case) -> bool:
    return case.owed == 0


S, E = State, Event
_HOLD_ASKED = (S.HOLDING, S.ACTION_REQUIRED)
_CHARGE_ASKED = (S.CAPTURING, S.ACTION_REQUIRED)
"""The bank's no counts for what was asked of it."""
_UNHELD = (S.HOLD_DUE, *WAITING)
_UNSURE = (S.HOLD_DUE, S.HOLDING, *WAITING, S.HOLD_LOST, S.RELEASING)
"""An intent that is let go was not what the money was expected from, or was being given back."""

TABLE = (
    # -- what the provider says --
    _row(E.HELD, (S.HOLDING, *WAITING), S.HELD),
    _row(E.ASKS_HOLDER, (S.HOLDING, S.HOLD_FAILED, S.CAPTURING, S.ARREARS), S.ACTION_REQUIRED),
    _row(E.REFUSED, _HOLD_ASKED, S.HOLD_FAILED, when=lambda case: not case.charging, words="a hold"),
    _row(
        E.REFUSED,
        _CHARGE_ASKED,
        S.ARREARS,
        when=lambda case: case.charging and not case.written_off,
        words="a charge",
    ),
    _row(
        E.REFUSED,
        _CHARGE_ASKED,
        S.WRITTEN_OFF,
        when=lambda case: case.charging and case.written_off,
        words="a charge of what was written off",
    ),
    _row(E.TAKEN, frozenset(State) - TAKEN, S.CAPTURED),
    _row(E.LET_GO, (S.HELD, S.CAPTURING), S.HOLD_LOST, Then.LOOK),
    _row(E.LET_GO, (S.ARREARS, S.WRITTEN_OFF, S.RENEWING), None, Then.FORGET_INTENT),
    _row(E.LET_GO, _UNSURE, S.HOLD_LOST, Then.LOOK, _owes, "something is owed"),
    _row(E.LET_GO, _UNSURE, S.RELEASED, Then.FREE, _owes_nothing, "nothing is owed"),
    _row(
        E.LET_GO,
        (S.HOLDING, S.ACTION_REQUIRED),
        S.HOLD_FAILED,
        Then.FORGET_INTENT,
        _open,
        "the rental is open",
    ),
    _row(
        E.LET_GO,
        (S.HOLD_DUE, S.HOLD_FAILED, S.HOLD_LOST, S.RELEASING),
        None,
        Then.FORGET_INTENT,
        _open,
        "the rental is open",
    ),
    _row(E.NEVER_HELD, (S.HOLDING, S.HELD, S.CAPTURING, S.RELEASING), S.HOLD_LOST, Then.LOOK),
    _row(E.RENEWED, S.RENEWING, S.HELD),
    _row(
        E.NOT_RENEWED,
        S.RENEWING,
        S.CAPTURING,
        Then.CAPTURE,
        lambda case: case.has_intent and case.owed is None and not case.is_deposit,
        "the old hold stands, of rent",
    ),
    _row(
        E.NOT_RENEWED,
        S.RENEWING,
        S.HELD,
        when=lambda case: case.has_intent and (case.owed is not None or case.is_deposit),
        words="the old hold stands, of a deposit or a rental that is over",
    ),
    _row(
        E.NOT_RENEWED,
        S.RENEWING,
        S.HOLD_LOST,
        Then.LOOK,
        lambda case: not case.has_intent and case.inspected,
        "the old hold is gone, the car is back",
    ),
    _row(
        E.NOT_RENEWED,
        S.RENEWING,
        S.HOLD_FAILED,
        when=lambda case: not case.has_intent and not case.inspected,
        words="the old hold is gone",
    ),
    _row(E.REFUND_OVER, TAKEN, S.DISPUTED, when=lambda case: case.disputed, words="a bank has it back"),
    _row(
        E.REFUND_OVER,
        TAKEN,
        S.REFUNDED,
        when=lambda case: not case.disputed and case.given_back,
        words="all is given back",
    ),
    _row(
        E.REFUND_OVER,
        TAKEN,
        S.CAPTURED,
        when=lambda case: not case.disputed and not case.given_back,
        words="something is left",
    ),
    _row(
        E.DISPUTE_MOVED,
        TAKEN - {S.REFUNDING},
        S.DISPUTED,
        when=lambda case: case.disputed,
        words="a bank has it back",
    ),
    _row(
        E.DISPUTE_MOVED,
        TAKEN - {S.REFUNDING},
        S.REFUNDED,
        when=lambda case: not case.disputed and case.given_back,
        words="all is given back",
    ),
    _row(
        E.DISPUTE_MOVED,
        TAKEN - {S.REFUNDING},
        S.CAPTURED,
        when=lambda case: not case.disputed and not case.given_back,
        words="something is left",
    ),
    # -- what a person or a deadline asks --
    _row(E.HOLD, _UNHELD, S.HOLDING, Then.HOLD),
    _row(E.CHARGE, (*_UNHELD, S.ARREARS, S.WRITTEN_OFF), S.CAPTURING, Then.CHARGE),
    _row(E.RENEW, S.HELD, S.RENEWING, Then.HOLD_BESIDE, _open, "the rental is open"),
    _row(E.PICKED_UP, S.HELD, S.CAPTURING, Then.CAPTURE, _open, "the rental is open"),
    _row(E.REFUND, TAKEN, S.REFUNDING),
    _row(E.WRITE_OFF, OWING, S.WRITTEN_OFF),
    _row(E.NO_CARD, S.HOLD_DUE, S.ARREARS),
    _row(E.DROPPED, S.HOLDING, S.RELEASED, when=_owes_nothing, words="nothing is owed"),
    # -- what is owed is looked at --
    _row(E.LOOK, S.HELD, S.CAPTURING, Then.CAPTURE, _owes, "something is owed"),
    _row(E.LOOK, S.HELD, S.RELEASING, Then.RELEASE, _owes_nothing, "nothing is owed"),
    _row(E.LOOK, (S.HOLD_DUE, S.HOLD_LOST), S.CAPTURING, Then.CHARGE, _owes, "something is owed"),
    _row(
        E.LOOK,
        WAITING,
        S.CAPTURING,
        Then.CHARGE,
        lambda case: bool(case.owed) and not case.charging,
        "something is owed, and it was a hold that waited",
    ),
    _row(
        E.LOOK,
        (*_UNHELD, S.HOLD_LOST, S.ARREARS, S.WRITTEN_OFF),
        S.RELEASED,
        Then.FORGET,
        _owes_nothing,
        "nothing is owed",
    ),
    _row(E.LOOK, (S.ARREARS, S.WRITTEN_OFF), None, Then.BOOK, _owes, "something is owed"),
    _row(
        E.LOOK,
        S.HOLD_LOST,
        S.HOLDING,
        Then.HOLD,
        lambda case: case.owed is None and not case.inspected,
        "the rental is open",
    ),
    _row(
        E.LOOK,
        S.HOLD_LOST,
        S.RELEASED,
        Then.FREE,
        lambda case: case.owed is None and case.inspected,
        "a deposit of a car that is back",
    ),
    _row(
        E.LOOK,
        S.CAPTURED,
        S.REFUNDING,
        Then.REFUND,
        lambda case: case.owed is not None and case.over > 0,
        "more was taken than is owed",
    ),
    _row(
        E.LOOK,
        S.CAPTURED,
        None,
        Then.FURTHER,
        lambda case: case.owed is not None and case.over < 0,
        "less was taken than is owed",
    ),
    # -- a capture or release was refused, and the intent still holds the money --
    _row(E.STEP_REFUSED, S.CAPTURING, S.CAPTURING, Then.CAPTURE, _open, "the rental is open"),
    _row(
        E.STEP_REFUSED,
        (S.CAPTURING, S.RELEASING),
        S.CAPTURING,
        Then.CAPTURE,
        _owes,
        "something is owed",
    ),
    _row(
        E.STEP_REFUSED,
        (S.CAPTURING, S.RELEASING),
        S.RELEASING,
        Then.RELEASE,
        _owes_nothing,
        "nothing is owed",
    ),
)


def follow(state: State, event: Event, case: Case) -> Row | None:
    """The row for it; None: nothing follows. No two rows hold at once."""
    for row in TABLE:
        if row.event is event and state in row.states and row.when(case):
            return row
    return None
