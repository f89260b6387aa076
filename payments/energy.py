"""The energy that a driver takes out of a car, in whole watt-hours, half-up; None where nobody knows it.

A charge is in percent of the battery's usable capacity, both as the box reports them.
"""

from fractions import Fraction

from payments.money import half_up


def taken_wh(before: float | None, after: float | None, capacity_kwh: float | None) -> int | None:
    """By the fall of the charge; 0 for a car that was brought back as full as it was, or fuller."""
    if before is None or after is None or not capacity_kwh:
        return None
    return _wh(max(Fraction(0), _exact(before) - _exact(after)), capacity_kwh)


def foreseen_wh(km: int | None, percent_per_km: float | None, capacity_kwh: float | None) -> int | None:
    """For a stated distance, by what the car takes for a kilometre."""
    if km is None or percent_per_km is None or not capacity_kwh:
        return None
    return _wh(km * _exact(percent_per_km), capacity_kwh)


def _wh(percent: Fraction, capacity_kwh: float) -> int:
    return half_up(percent * _exact(capacity_kwh) * 10)


def _exact(reading: float) -> Fraction:
    """A reading as it is written: 17.6, not the binary fraction beside it."""
    return Fraction(str(reading))
