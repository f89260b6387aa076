"""How charged a car will be at an instant: pure, from what is seen now, its habits and what is booked until then.

Charge is in percent of the battery, rates in percentage points per hour. Between uses a car charges while it is plugged
in, else it sleeps and drains slowly; each use takes what its distance needs. Every part adds its own doubt (variances
add up), so that a rental in two days is foreseen less surely than one in an hour. `docs/charge.md` has the measured error.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

HOUR = timedelta(hours=1)
EFFICIENCY = 0.88
"""What of the power at the socket reaches the battery."""
SLOWS_ABOVE, SLOWED = 90.0, 0.55
"""The last tenth goes in more slowly; seen with every on-board charger."""
DRAIN_PER_DAY, USE_PER_HOUR, PLUGS_AFTER_USE = 0.8, 4.0, 0.5
"""Habits of a car nothing is known of yet."""
LONGEST_PAUSE = timedelta(hours=26)
READS_WITHIN = 1.5
"""A box says whole percents, and rounds as it likes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first reading of an hour; `used`: in that hour the car was driven, or lent."""

    at: datetime
    charge_percent: float | None
    plugged: bool | None
    charging: bool | None
    used: bool


@dataclass(frozen=True, slots=True)
class Habits:
    """What past weeks say of a car; `charge_per_hour` is None where nobody has seen it charge."""

    drain_per_day: float = DRAIN_PER_DAY
    charge_per_hour: float | None = None
    use_per_hour: float = USE_PER_HOUR
    plugs_after_use: float = PLUGS_AFTER_USE


@dataclass(frozen=True, slots=True)
class Now:
    """What the box said last: `charge_kw` at the socket, `percent_per_km` by the car's own estimate of its range.

    A car on the cable that takes nothing (a timer, a full battery, a dead socket) is not expected to take anything.
    """

    at: datetime
    charge_percent: float
    charging: bool | None = None
    charge_kw: float | None = None
    capacity_kwh: float | None = None
    limit_percent: float = 100.0
    percent_per_km: float | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A use that is booked: the distance the driver has stated, where they have."""

    from_at: datetime
    to_at: datetime
    km: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The charge at `at`; `low` and `high` are meant to hold nine times of ten (over simulated weeks: 82 to 92 %)."""

    at: datetime
    percent: float
    low: float
    high: float


def forecast(
    now: Now, habits: Habits, uses: Iterable[Use], at: datetime, plug_below: float | None = None
) -> Forecast:
    """What the charge will be. `plug_below`: under that, the owner's rule has the car plugged in after a use."""
    course = _Course(now, habits, plug_below)
    for use in sorted(uses, key=lambda one: one.from_at):
        if use.to_at <= course.at or use.from_at >= at:
            continue
        course.rest(min(use.from_at, at))
        course.use(use, min(use.to_at, at))
    course.rest(at)
    doubt = 1.645 * math.sqrt(course.variance)
    return Forecast(at, course.percent, max(0.0, course.percent - doubt), min(100.0, course.percent + doubt))


class _Course:
    """The charge as time goes by."""

    def __init__(self, now: Now, habits: Habits, plug_below: float | None) -> None:
        self._now, self._habits, self._plug_below = now, habits, plug_below
        self.at, self.percent, self.variance = now.at, now.charge_percent, (READS_WITHIN / 1.645) ** 2
        self._share_charging = 1.0 if now.charging else 0.0
        self._rate = _rate(now, habits)

    def rest(self, until: datetime) -> None:
        """Standing: charging as far as its limit, or asleep."""
        hours = (until - self.at) / HOUR
        if hours <= 0:
            return
        asleep = self.percent - self._habits.drain_per_day * hours / 24
        charged = max(self.percent, _risen(self.percent, self._rate, hours, self._now.limit_percent))
        share = self._share_charging
        self.variance += (self._habits.drain_per_day * hours / 24 * 0.6) ** 2 * (1 - share)
        self.variance += share * (1 - share) * (charged - asleep) ** 2
        if charged < self._now.limit_percent:
            self.variance += (0.12 * share * (charged - self.percent)) ** 2
        self.percent = max(0.0, share * charged + (1 - share) * asleep)
        self.at = until

    def use(self, use: Use, until: datetime) -> None:
        """Driven, of which only the part that lies ahead counts."""
        begins = max(self.at, use.from_at)
        ahead = (until - begins) / (use.to_at - use.from_at)
        per_km = self._now.percent_per_km
        if use.km is not None and per_km is not None:
            takes, doubt = use.km * per_km * ahead, 0.3
        else:
            takes, doubt = self._habits.use_per_hour * ((until - begins) / HOUR), 0.7
        takes = min(takes, self.percent)
        self.variance += (takes * doubt) ** 2
        self.percent -= takes
        self._share_charging = self._plugs()
        self.at = until

    def _plugs(self) -> float:
        """How likely it is that whoever brings the car back plugs it in."""
        if self._plug_below is not None and self.percent < self._plug_below:
            return max(0.9, self._habits.plugs_after_use)
        return self._habits.plugs_after_use


def _rate(now: Now, habits: Habits) -> float:
    """By the power that flows, else as it was seen to charge; where neither is known it is not counted on."""
    if now.charging and now.charge_kw and now.capacity_kwh:
        return now.charge_kw * EFFICIENCY / now.capacity_kwh * 100
    return habits.charge_per_hour or 0.0


def _risen(percent: float, rate: float, hours: float, limit: float) -> float:
    """After `hours` on the cable."""
    knee = min(limit, SLOWS_ABOVE)
    if rate <= 0 or percent >= limit:
        return percent
    fast = max(0.0, knee - percent) / rate
    if hours <= fast:
        return percent + rate * hours
    return min(limit, max(percent, knee) + rate * SLOWED * (hours - fast))


# -- what past weeks say ---------------------------------------------------------------------------------------------


def learn(samples: Sequence[Sample]) -> Habits:
    """The habits of a car from its hourly samples, oldest first; what they do not show stays at its default."""
    known = [one for one in samples if one.charge_percent is not None]
    return Habits(
        drain_per_day=_drain(known),
        charge_per_hour=_charging(known),
        use_per_hour=_using(known),
        plugs_after_use=_plugging(known),
    )


def _percent(sample: Sample) -> float:
    assert sample.charge_percent is not None
    return sample.charge_percent


def _sleeps(sample: Sample) -> bool:
    return not (sample.used or sample.charging or sample.plugged)


def _drain(samples: Sequence[Sample]) -> float:
    """All that was lost asleep, by all the time asleep; under a day of it says nothing."""
    lost, slept = 0.0, timedelta(0)
    for before, after in pairwise(samples):
        if _sleeps(before) and _sleeps(after) and after.at - before.at <= LONGEST_PAUSE:
            lost += _percent(before) - _percent(after)
            slept += after.at - before.at
    if slept < timedelta(days=1):
        return DRAIN_PER_DAY
    return min(5.0, max(0.0, lost / (slept / timedelta(days=1))))


def _charging(samples: Sequence[Sample]) -> float | None:
    """The middle of what whole hours on the cable brought, below where it slows down.

    A fast charger is done within the hour: then the most that any hour brought, which is less than it can.
    """
    whole, part = [], []
    for before, after in pairwise(samples):
        hours, rise = (after.at - before.at) / HOUR, _percent(after) - _percent(before)
        if hours > 2 or rise <= READS_WITHIN or after.used:
            continue
        if before.charging and after.charging and _percent(after) < SLOWS_ABOVE:
            whole.append(rise / hours)
        else:
            part.append(rise / hours)
    if whole:
        return median(whole)
    return max(part) if part else None


def _stretches(samples: Sequence[Sample]) -> Iterable[tuple[int, int]]:
    """Where uses begin and where they have ended: indexes of the first used sample, and of the first after it."""
    begun: int | None = None
    for index, sample in enumerate(samples):
        if sample.used and begun is None:
            begun = index
        elif not sample.used and begun is not None:
            yield begun, index
            begun = None


def _using(samples: Sequence[Sample]) -> float:
    """What an hour of use takes."""
    rates = [
        max(0.0, _percent(samples[first]) - _percent(samples[after]))
        / ((samples[after].at - samples[first].at) / HOUR)
        for first, after in _stretches(samples)
    ]
    return median(rates) if rates else USE_PER_HOUR


def _plugging(samples: Sequence[Sample]) -> float:
    """How often the car was plugged in within three hours after a use; two cautious guesses are mixed in."""
    hits = count = 0
    for _, after in _stretches(samples):
        count += 1
        until = samples[after].at + 3 * HOUR
        hits += any(one.plugged or one.charging for one in samples[after : after + 4] if one.at <= until)
    return (hits + 2 * PLUGS_AFTER_USE) / (count + 2)


def charged_since_use(
    samples: Sequence[Sample], percent: float | None, *, plugged: bool | None
) -> bool | None:
    """Whether the car has been charged since it was last used; None when no use is known, or it is out."""
    last = max((index for index, one in enumerate(samples) if one.used), default=None)
    if last is None or last == len(samples) - 1:
        return None
    since = samples[last + 1 :]
    if any(one.charging for one in since):
        return True
    left = since[0].charge_percent
    if left is None or percent is None:
        return None if plugged is None else False
    return percent > left + READS_WITHIN
