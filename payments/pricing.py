"""What a rental costs: pure rules from frozen terms, times and kilometres to lines that add up.

The rules, in one place:

* Time is billed per started minute of real elapsed time, pro rata of the hour price. It is cut into price
  days, the calendar days of the car's zone; a minute belongs to the day it starts in, so a day of 23 or 25
  hours bills what really passed. Each day is rounded half-up to the minor unit, then capped at `day_cap`.
* `km_included_per_day` counts per started 24 hours of the booked span; being late buys no further
  kilometres. Each kilometre above costs `per_km`. A longer booking includes more kilometres, so for the same
  distance it may cost less.
* `minimum` is the least that time and kilometres together cost.
* At cost: kilometres, `per_km` from the first one, and energy; no time, minimum or late fee. The kilometres cost
  at most `limit`, what the car may still bring until its cost of the year is covered; beyond it only energy is
  paid. Free: nothing.
* Energy, at cost and priced: the watt-hours taken out of the car at `per_kwh`, rounded half-up to the minor unit,
  beside minimum and day cap. Nothing where none was taken or nobody knows how much.
* `cleaning`, `refuel` and `deposit` are never part of a price: the first two are what a charge request may
  ask, the third is held apart.
* At the end the booked span is owed, from its planned start (or the first unlock, if earlier) to its planned
  end. Brought back early, `early_return_percent` of the price of the unused time is given back. Brought back
  late, time goes on at the tariff, and after `late_grace_min` the `late_fee` is added once.
* A car that fails during a rental is charged to that instant at most, without minimum and late fee.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from payments.money import Money, half_up
from payments.tariff import Fare, Line, LineCode, Price, Tariff

MINUTE = timedelta(minutes=1)
DAY = timedelta(hours=24)
HOLD_KM_PER_DAY = 50
"""Kilometres above the quote that a hold leaves room for, per started 24 hours."""
HOLD_LATE_MINUTES = 60
"""Minutes of lateness that a hold leaves room for."""
HOLD_WH_PER_KM = 200
"""What a kilometre takes, for the energy that a hold leaves room for: 20 kWh for 100 km."""
NOT_OWED_UNDRIVEN = frozenset({"km", "cost_covered", "energy"})
"""Lines that come of driving: who cancels owes no part of them."""

CancelledBy = Literal["driver", "owner", "system"]


def estimate(
    tariff: Tariff,
    fare: Fare,
    from_: datetime,
    to: datetime,
    zone: ZoneInfo,
    expected_km: int | None = None,
    *,
    energy_wh: int | None = None,
    limit: int | None = None,
) -> Price:
    """The price of a quote for [from_, to), with the kilometres the driver expects and the energy they take.

    `limit`, at cost: the minor units that may be asked besides energy; None: any.
    """
    _check_span(from_, to)
    km = _km_line(tariff, fare, expected_km or 0, from_, to)
    if _is_free(tariff, fare) or fare is Fare.AT_COST:
        return _marginal(tariff, fare, km, energy_wh, limit)
    lines = (*_time_lines(tariff, from_, to, zone), *km)
    energy = _energy_line(tariff, energy_wh)
    return Price.of(tariff, (*lines, *_minimum_line(tariff, lines), *energy))


def final(
    tariff: Tariff,
    fare: Fare,
    from_planned: datetime,
    to_planned: datetime,
    meter_from: datetime,
    meter_to: datetime,
    zone: ZoneInfo,
    driven_km: int | None = None,
    *,
    car_failed_at: datetime | None = None,
    energy_wh: int | None = None,
    limit: int | None = None,
) -> Price:
    """The price at the end. `meter_to` is where the meter stopped, which may be before the lock.

    `driven_km` None: the box told no odometer, and no kilometre is charged; `energy_wh` and `limit` as in a quote.
    """
    _check_span(from_planned, to_planned)
    km = _km_line(tariff, fare, driven_km or 0, from_planned, to_planned)
    if _is_free(tariff, fare) or fare is Fare.AT_COST:
        return _marginal(tariff, fare, km, energy_wh, limit)
    energy = _energy_line(tariff, energy_wh)
    start = min(from_planned, meter_from)
    if car_failed_at is not None:
        end = max(start, min(meter_to, car_failed_at))
        return Price.of(tariff, (*_time_lines(tariff, start, end, zone), *km, *energy))
    booked = _time_lines(tariff, start, max(to_planned, meter_to), zone)
    back = _early_return_line(tariff, booked, _time_lines(tariff, start, max(start, meter_to), zone))
    lines = (*booked, *back, *km)
    late = meter_to > to_planned + tariff.late_grace_min * MINUTE
    fee = (Line("late_fee", 1, "rental", tariff.money(tariff.late_fee)),) if late and tariff.late_fee else ()
    return Price.of(tariff, (*lines, *_minimum_line(tariff, lines), *fee, *energy))


def owed_on_cancellation(
    tariff: Tariff, price: Price, from_planned: datetime, at: datetime, by: CancelledBy
) -> Money:
    """What the driver still owes of a quote cancelled at `at`; nothing when owner or system cancels.

    Of all steps whose time has come the highest percent counts, so waiting never gets cheaper. Kilometres
    nobody drove are not owed.
    """
    if by != "driver":
        return tariff.money(0)
    left = from_planned - at
    percents = [s.percent for s in tariff.cancellation if left < timedelta(hours=s.hours_before)]
    owed = (line.amount for line in price.lines if line.code not in NOT_OWED_UNDRIVEN)
    rent = sum(owed, tariff.money(0))
    return rent.percent(max(percents, default=0))


def hold_amount(
    tariff: Tariff, fare: Fare, price: Price, from_: datetime, to: datetime, *, limit: int | None = None
) -> Money:
    """What to hold: the quote and an allowance for kilometres, their energy, and lateness.

    The allowance is 50 km per started 24 hours at `per_km`, within `limit` when at cost, 10 kWh for them at `per_kwh`,
    and when priced an hour of time and the late fee; at least what a card can be asked for, where it is anything. What a
    rental comes to cost beyond it is charged apart; the deposit is a hold of its own.
    """
    if _is_free(tariff, fare):
        return tariff.money(0)
    km = HOLD_KM_PER_DAY * _started_days(from_, to)
    allowance = tariff.per_km * km
    if fare is Fare.AT_COST and limit is not None:
        allowance = min(allowance, max(0, limit - price.rent.amount))
    allowance += _energy_price(tariff, km * HOLD_WH_PER_KM)
    if fare is Fare.PRICED:
        allowance += _time_price(tariff, HOLD_LATE_MINUTES) + tariff.late_fee
    return (price.total + tariff.money(allowance)).to_hold()


def deposit_amount(tariff: Tariff, fare: Fare) -> Money:
    """What to hold beside the rent: the deposit of the terms, and of who drives for free none."""
    return tariff.money(0 if _is_free(tariff, fare) else tariff.deposit)


def _is_free(tariff: Tariff, fare: Fare) -> bool:
    return tariff.currency is None or fare is Fare.FREE


def _marginal(
    tariff: Tariff, fare: Fare, km: tuple[Line, ...], energy_wh: int | None, limit: int | None
) -> Price:
    """At cost: the kilometres as far as the limit goes, and the energy. Free: nothing."""
    if _is_free(tariff, fare):
        return Price.of(tariff, ())
    over = sum(line.amount.amount for line in km) - limit if limit is not None else 0
    stop = (Line("cost_covered", 1, "rental", tariff.money(-over)),) if over > 0 else ()
    return Price.of(tariff, (*km, *stop, *_energy_line(tariff, energy_wh)))


def _energy_line(tariff: Tariff, wh: int | None) -> tuple[Line, ...]:
    if wh is not None and wh < 0:
        raise ValueError("energy is not negative")
    if not wh or not tariff.per_kwh:
        return ()
    return (Line("energy", wh, "Wh", tariff.money(_energy_price(tariff, wh))),)


def _energy_price(tariff: Tariff, wh: int) -> int:
    return half_up(Fraction(wh * tariff.per_kwh, 1000))


def _check_span(from_: datetime, to: datetime) -> None:
    if from_.tzinfo is None or to.tzinfo is None:
        raise ValueError("a span needs instants, not wall times")
    if to < from_:
        raise ValueError("a span ends after it starts")


def _started_days(from_: datetime, to: datetime) -> int:
    return max(1, -((_utc(from_) - _utc(to)) // DAY))


def _time_price(tariff: Tariff, minutes: int) -> int:
    return half_up(Fraction(minutes * tariff.hour, 60))


def _time_lines(tariff: Tariff, from_: datetime, to: datetime, zone: ZoneInfo) -> tuple[Line, ...]:
    lines = []
    for minutes in _minutes_by_day(_utc(from_), _utc(to), zone):
        amount = _time_price(tariff, minutes)
        capped = tariff.day_cap is not None and amount > tariff.day_cap
        code: LineCode = "day_cap" if capped else "time"
        lines.append(
            Line(code, minutes, "min", tariff.money(min(amount, tariff.day_cap or 0) if capped else amount))
        )
    return tuple(lines)


def _minutes_by_day(from_: datetime, to: datetime, zone: ZoneInfo) -> Iterator[int]:
    """Started minutes of [from_, to) by the local day they start in; together exactly the started minutes."""
    counted, day_start = 0, from_
    while day_start < to:
        next_day = day_start.astimezone(zone).date() + timedelta(days=1)
        day_end = _utc(datetime.combine(next_day, time(), tzinfo=zone))
        until = -((from_ - min(day_end, to)) // MINUTE)
        if until > counted:
            yield until - counted
        counted, day_start = until, max(day_end, day_start + MINUTE)


def _km_line(tariff: Tariff, fare: Fare, km: int, from_: datetime, to: datetime) -> tuple[Line, ...]:
    if km < 0:
        raise ValueError("kilometres are not negative")
    included = tariff.km_included_per_day * _started_days(from_, to) if fare is Fare.PRICED else 0
    extra = max(0, km - included)
    if _is_free(tariff, fare) or not extra or not tariff.per_km:
        return ()
    return (Line("km", extra, "km", tariff.money(extra * tariff.per_km)),)


def _minimum_line(tariff: Tariff, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    missing = tariff.money(tariff.minimum) - sum((line.amount for line in lines), tariff.money(0))
    return (Line("minimum", 1, "rental", missing),) if missing.amount > 0 else ()


def _early_return_line(tariff: Tariff, booked: tuple[Line, ...], used: tuple[Line, ...]) -> tuple[Line, ...]:
    zero = tariff.money(0)
    unused = sum((line.amount for line in booked), zero) - sum((line.amount for line in used), zero)
    back = unused.percent(tariff.early_return_percent)
    minutes = sum(line.quantity for line in booked) - sum(line.quantity for line in used)
    return (Line("early_return", minutes, "min", -back),) if back else ()


def _utc(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo("UTC"))
