"""Which span of a rental counts for the insurer, and what it costs: half-open, UTC, to the millisecond."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

LateRuleName = Literal["stop", "reported", "lock"]
TimeUnit = Literal["hour", "day"]
Unit = TimeUnit | Literal["km"]
Basis = Literal["covered", "charged"]
KmFrom = Literal["odometer", "hours"]

UNIT_MINUTES: Final[Mapping[TimeUnit, int]] = MappingProxyType({"hour": 60, "day": 24 * 60})
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open [from_at, to_at), `to_at` None while it is open; UTC, cut to the millisecond."""

    from_at: datetime
    to_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "from_at", to_ms(self.from_at))
        if self.to_at is not None:
            object.__setattr__(self, "to_at", to_ms(self.to_at))
            if self.to_at < self.from_at:
                raise ValueError("a span cannot end before it begins")

    def as_json(self) -> dict[str, str | None]:
        """As it is written: `to` is null while it is open."""
        return {"from": instant(self.from_at), "to": None if self.to_at is None else instant(self.to_at)}

    def holds(self, at: datetime) -> bool:
        """Whether the instant lies inside; the end itself does not."""
        return self.from_at <= at and (self.to_at is None or at < self.to_at)


@dataclass(frozen=True, slots=True)
class LateRule:
    """What a master policy says of own damage after the planned end; liability always runs to the lock.

    `stop` (A) ends it there. `reported` (B) goes on for `hours` if the lateness was reported within them.
    `lock` (C) goes on to the lock.
    """

    name: LateRuleName
    hours: int = 0


@dataclass(frozen=True, slots=True)
class CoverSpans:
    """The two parts of one cover; every answer and certificate names both."""

    liability: Span
    own_damage: Span

    @property
    def overrun(self) -> bool:
        """Whether liability outlasts, or may outlast, own damage."""
        return self.liability.to_at != self.own_damage.to_at


@dataclass(frozen=True, slots=True)
class PremiumRate:
    """What a master policy charges, in minor units of its currency.

    Time is rounded up to the started unit, money never: `amount` per started hour or day, at most `day_cap`
    per started 24 hours and `cap` in all, for at least `minimum_minutes`. `basis` says which minutes count.

    Per km it is `amount` for each kilometre, at least `minimum_km`, under the same caps. Where the box told no
    odometer, `untold_km_per_hour` count for each started hour.
    """

    currency: str
    per: Unit
    amount: int
    day_cap: int | None = None
    cap: int | None = None
    minimum_minutes: int = 0
    basis: Basis = "covered"
    minimum_km: int = 1
    untold_km_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class ChargedKm:
    """The kilometres a premium is for: by the `odometer` at both ends, or by started `hours` where it was not told."""

    km: int
    by: KmFrom


def cover_spans(
    *,
    start: datetime,
    planned_end: datetime,
    rule: LateRule,
    locked_at: datetime | None = None,
    reported_at: datetime | None = None,
) -> CoverSpans:
    """The spans as they stand: `locked_at` None while the car is out, `reported_at` None: nobody told."""
    liability = Span(start, locked_at)
    limit = _own_damage_limit(planned_end, rule, reported_at)
    ends = [at for at in (locked_at, limit) if at is not None]
    own_damage_end = max(start, min(ends)) if ends else None
    return CoverSpans(liability, Span(start, own_damage_end))


def _own_damage_limit(planned_end: datetime, rule: LateRule, reported_at: datetime | None) -> datetime | None:
    if rule.name == "lock":
        return None
    last = planned_end + timedelta(hours=rule.hours)
    if rule.name == "reported" and reported_at is not None and reported_at <= last:
        return last
    return planned_end


def covered_minutes(liability: Span) -> int | None:
    """Started minutes from the unlock to the lock; None while the car is out."""
    return None if liability.to_at is None else _started_minutes(liability.to_at - liability.from_at)


def charged_minutes(liability: Span, meter_stopped_at: datetime | None = None) -> int | None:
    """Started minutes to the lock, or to where the meter stopped before it; None while both run."""
    ends = [to_ms(at) for at in (liability.to_at, meter_stopped_at) if at is not None]
    if not ends:
        return None
    return _started_minutes(max(timedelta(0), min(ends) - liability.from_at))


def charged_km(
    rate: PremiumRate, *, covered: int, odometer_start_km: int | None, odometer_end_km: int | None
) -> ChargedKm | None:
    """The kilometres a rate counts in a cover of `covered` minutes; None where it counts none.

    Odometers are whole kilometres as shown, cut: so those of the covers of a car, one after the other, add up to
    what it drove, and none is counted twice. One that runs backwards was not told: it is of another instrument.
    """
    if rate.per != "km":
        return None
    if covered == 0:
        return ChargedKm(0, "odometer")
    if odometer_start_km is not None and odometer_end_km is not None and odometer_end_km >= odometer_start_km:
        return ChargedKm(max(odometer_end_km - odometer_start_km, rate.minimum_km), "odometer")
    hours = -(-covered // UNIT_MINUTES["hour"])
    return ChargedKm(max(hours * rate.untold_km_per_hour, rate.minimum_km), "hours")


def premium(rate: PremiumRate, *, covered: int, charged: int, km: ChargedKm | None = None) -> int:
    """The premium in minor units for these minutes, or kilometres; a cover of no minutes is void and costs nothing."""
    minutes = covered if rate.basis == "covered" else charged
    if minutes < 0:
        raise ValueError("minutes are not negative")
    if minutes == 0:
        return 0
    if rate.per == "km":
        total = _for_km(rate, km, minutes)
    else:
        days, rest = divmod(max(minutes, rate.minimum_minutes), UNIT_MINUTES["day"])
        total = days * _within_a_day(rate, rate.per, UNIT_MINUTES["day"])
        total += _within_a_day(rate, rate.per, rest)
    return total if rate.cap is None else min(total, rate.cap)


def estimate(rate: PremiumRate, span: Span, expected_km: int | None) -> int | None:
    """The premium of a cover of a planned, closed span; None where it depends on kilometres that nobody has stated."""
    minutes = covered_minutes(span)
    if minutes is None:
        raise ValueError("a premium is estimated for a planned span, with its end")
    if rate.per != "km":
        return premium(rate, covered=minutes, charged=minutes)
    if expected_km is None:
        return None
    km = charged_km(rate, covered=minutes, odometer_start_km=0, odometer_end_km=expected_km)
    return premium(rate, covered=minutes, charged=minutes, km=km)


def _for_km(rate: PremiumRate, km: ChargedKm | None, minutes: int) -> int:
    if km is None or km.km < 0:
        raise ValueError("a premium per kilometre is for kilometres that are not negative")
    price = km.km * rate.amount
    started_days = -(-minutes // UNIT_MINUTES["day"])
    return price if rate.day_cap is None else min(price, started_days * rate.day_cap)


def _within_a_day(rate: PremiumRate, per: TimeUnit, minutes: int) -> int:
    units = -(-minutes // UNIT_MINUTES[per])
    price = units * rate.amount
    return price if rate.day_cap is None else min(price, rate.day_cap)


def _started_minutes(length: timedelta) -> int:
    return -(-length // _MINUTE)


def to_ms(at: datetime) -> datetime:
    """The same instant in UTC, cut to the millisecond; naive ones are refused."""
    if at.tzinfo is None:
        raise ValueError("an instant needs an offset")
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant(at: datetime) -> str:
    """As it is written everywhere: UTC, milliseconds, Z."""
    return to_ms(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
