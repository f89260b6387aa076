"""How far an answer that takes `as_of` reaches: a position of the total order, and the instant it stands for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from app.kit import clock
from app.kit.driver import read
from app.kit.errors import Validation
from app.kit.keys import settings

# Sealed in business time, as `at` and `as_of` are: the offset a fact was recorded with exists in demo and test alone.
# Elsewhere the two differ by what lies between two looks at the clock, and an `as_of` that was answered would be found
# before its own position.
LAST = (
    "select position, sealed_at + case when (select true from clock_offset) then at - recorded_at else interval '0' end"
    " as sealed from facts where position is not null order by position desc limit 1"
)
_LAST = text(LAST)
_AS_OF = text(
    "select position from facts where sealed_at < :as_of and position is not null"
    " order by sealed_at desc, position desc limit 1"
)
_AS_OF_MOVED = text(
    "select position from facts where sealed_at + (at - recorded_at) < :as_of and position is not null"
    " order by position desc limit 1"
)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Head:
    """Nothing after `position` is known to the answer; `as_of` is asked, or when the last fact was sealed."""

    position: int
    as_of: datetime


def head(as_of: datetime | None = None) -> Head:
    """The last sealed position, or that of an instant; an instant after the last seal means the last seal.

    Raises Validation for an `as_of` in the future.
    """
    last = next(iter(read(_LAST)), None)
    newest = None if last is None else of(last.position, last.sealed, last.sealed)
    if (
        newest is not None and as_of is not None and as_of <= newest.as_of
    ):  # also by a clock that was put back since
        return newest if as_of == newest.as_of else _at(as_of)
    if as_of is not None and as_of > clock.now():
        raise Validation(
            errors=[{"parameter": "as_of", "code": "future", "detail": "Nobody knows that yet."}]
        )
    return newest or Head(0, as_of or clock.now())


def _at(as_of: datetime) -> Head:
    then = read(_AS_OF_MOVED if settings().clock_may_move else _AS_OF, {"as_of": as_of + _MS})
    return Head(then[0].position if then else 0, as_of)


def of(position: int | None, sealed: datetime | None, now: datetime) -> Head:
    """The head that LAST found; where nothing is sealed yet, the beginning, as of `now`."""
    return Head(0, now) if position is None or sealed is None else Head(position, clock.to_ms(sealed))
