"""The 12 V battery: where its resting voltage is going, and in whose hands it fell. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from app.cars.watch import VOLTS_LOW

WINDOW = timedelta(days=10)
FEWEST, SPREAD = 6, timedelta(hours=12)
"""Readings, and the time they lie apart, without which there is no trend."""
SOON_DAYS = 60.0
FELL_V = 0.1
FALLING_DAYS = 3.0
"""Enough to drive or to charge before the box falls silent."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The voltage of a battery at rest: the car was off and not charging."""

    at: datetime
    volts: float


@dataclass(frozen=True, slots=True)
class Trend:
    """Volts a day (negative: falling), and in how many days it is low; None: not within two months."""

    volts_per_day: float
    low_in_days: float | None

    @property
    def is_falling(self) -> bool:
        return self.low_in_days is not None and self.low_in_days <= FALLING_DAYS


@dataclass(frozen=True, slots=True)
class Held:
    """Who had the car: `rental` None is the owner."""

    rental: str | None
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fall:
    """By how many volts the battery fell while somebody held the car."""

    rental: str | None
    from_at: datetime
    to_at: datetime | None
    volts: float


def trend(rests: Sequence[Rest], at: datetime) -> Trend | None:
    """The middle of all slopes between two readings (Theil and Sen): a single odd reading does not turn it."""
    known = [one for one in rests if at - WINDOW <= one.at <= at]
    if len(known) < FEWEST or known[-1].at - known[0].at < SPREAD:
        return None
    slopes = [
        (later.volts - earlier.volts) / ((later.at - earlier.at) / timedelta(days=1))
        for index, earlier in enumerate(known)
        for later in known[index + 1 :]
        if later.at - earlier.at >= timedelta(hours=1)
    ]
    if not slopes:
        return None
    slope = median(slopes)
    above = median(one.volts for one in known[-3:]) - VOLTS_LOW
    days = max(0.0, above / -slope) if slope < 0 else None
    return Trend(slope, days if days is not None and days <= SOON_DAYS else None)


def falls(rests: Sequence[Rest], held: Sequence[Held]) -> list[Fall]:
    """Who held the car while it fell by a tenth of a volt or more, the deepest fall first.

    Both oldest first. Measured from how the car was left to them to how they left it: no fall is put to two of them.
    """
    found = []
    left: Rest | None = None
    for one in held:
        before = left or _last(rests, one.from_at)
        after = _last(rests, one.to_at, since=one.from_at)
        if after is None and one.to_at is not None:  # it never rested in their hands: as they left it
            after = _first(rests, one.to_at, one.to_at + (one.to_at - one.from_at))
        if before is None or after is None:
            continue
        left = after
        lost = round(before.volts - after.volts, 2)
        if lost >= FELL_V:
            found.append(Fall(one.rental, one.from_at, one.to_at, lost))
    return sorted(found, key=lambda fall: -fall.volts)


def _last(rests: Sequence[Rest], until: datetime | None, since: datetime | None = None) -> Rest | None:
    """The last rest in a span, open where it has no bound."""
    within = [
        one for one in rests if (until is None or one.at <= until) and (since is None or one.at > since)
    ]
    return within[-1] if within else None


def _first(rests: Sequence[Rest], since: datetime, until: datetime) -> Rest | None:
    """The first rest after a custody; one that comes later than that had lasted says more of the next holder."""
    return next((one for one in rests if since <= one.at <= until), None)
