"""What a car has brought in a year, against the cost its owner states: at cost ends where that is covered.

Counted is what drivers are asked for the car, energy apart and before anybody's share, at every fare; a year is the
calendar year in the car's zone, and a rental belongs to the one in which it ends. Reasons: ADR 0033.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.cars import access
from app.cars.add import currency_of
from app.cars.models import Car
from app.facts import CostCovered, CostNotStated
from app.kit import clock, facts
from app.kit.db import bare
from app.kit.driver import plain
from app.rentals.models import Rental
from payments import cost_stop
from payments.money import Money
from payments.tariff import Fare, Price

_SUMS = text("""
  select coalesce(sum(coalesce(towards_cost, cast(final_price->'total'->>'amount' as bigint), 0))
      filter (where state in ('ended', 'settled', 'cancelled', 'no_show')), 0)::bigint as earned,
    coalesce(sum(coalesce(towards_cost, cast(price->'total'->>'amount' as bigint), 0))
      filter (where state in ('requested', 'booked', 'unlocking', 'active', 'locking')), 0)::bigint as promised
  from rentals
  where car_id in (select id from cars where vin = :vin and (owner_id = :owner or community_id = :community))
    and id <> :but
    and coalesce(over_at, greatest(to_at, :now)) >= :begin and coalesce(over_at, greatest(to_at, :now)) < :end
""")
"""A rental from before `towards_cost` was kept had no energy in its price. A vehicle that was taken out and added again
by the same owner is the same vehicle."""
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Sums:
    """Minor units that rentals of a year have brought, and those that open ones are quoted at."""

    earned: int
    promised: int


def left_for(car: Car, fare: str, to: datetime, now: datetime, *, but: Rental | None = None) -> int | None:
    """What a rental that ends then may be quoted at besides energy: the stated cost, less what is earned and promised.

    Nothing where no cost is stated; None for a fare that knows no bound. `but` is the rental that is asked for.
    """
    if fare != Fare.AT_COST:
        return None
    sums = _sums(car, year_of(car, max(to, now)), now, but)
    return cost_stop.quoted(_stated(car), sums.earned, sums.promised)


def left_at_end(car: Car, rental: Rental, at: datetime) -> int | None:
    """What a rental that ends now may come to: never above its quote's bound, nor above what is left of the cost.

    The caller holds the car, so that of two rentals that end at once the second sees what the first has taken.
    """
    if rental.cost_left is None:
        return None
    earned = _sums(car, year_of(car, at), at, rental).earned
    return cost_stop.settled(rental.cost_left, _stated(car), earned)


def count(car: Car, rental: Rental, price: Price, at: datetime) -> None:
    """Keep what the rental came to; its owner is told, once a year, that the cost is covered or not stated."""
    rental.towards_cost = price.rent.amount
    year = year_of(car, at)
    if rental.fare != Fare.AT_COST or car.stop_told_in == year:
        return
    if car.yearly_cost is None:
        car.stop_told_in = year
        facts.record(CostNotStated(car=car.id, year=year))
    elif _sums(car, year, at, rental).earned + rental.towards_cost >= (_stated(car) or 0):
        car.stop_told_in = year
        stated = Money.from_dict(car.yearly_cost)
        facts.record(CostCovered(car=car.id, year=year, amount=stated.amount, currency=stated.currency))


def of(person: str, car_id: str, year: int | None) -> dict[str, Any]:
    """A year of a car as its owner sees it. Raises NotFound, NotAllowed."""
    car, now = access.may_run(car_id, person), clock.now()
    asked = year or year_of(car, now)
    sums = _sums(car, asked, now, None)
    stated, currency = _stated(car), currency_of(car.country)
    left = cost_stop.quoted(stated, sums.earned, sums.promised)
    return {
        "car": car.id,
        "year": asked,
        "state": "not_stated" if stated is None else "covered" if sums.earned >= stated else "open",
        "stated": car.yearly_cost,
        "earned": {"amount": sums.earned, "currency": currency},
        "promised": {"amount": sums.promised, "currency": currency},
        "left": {"amount": left, "currency": currency},
    }


def year_of(car: Car, at: datetime) -> int:
    """The calendar year of an instant on the car's clocks."""
    return at.astimezone(ZoneInfo(car.time_zone)).year


def _stated(car: Car) -> int | None:
    return int(car.yearly_cost["amount"]) if car.yearly_cost else None


def _sums(car: Car, year: int, now: datetime, but: Rental | None) -> Sums:
    here = ZoneInfo(car.time_zone)
    span = {
        "begin": datetime(year, 1, 1, tzinfo=here).astimezone(UTC),
        "end": datetime(year + 1, 1, 1, tzinfo=here).astimezone(UTC),
    }
    whose = {
        "vin": car.vin,
        "owner": bare(car.owner_id, "per") if car.owner_id else None,
        "community": bare(car.community_id, "com") if car.community_id else None,
    }
    known = {**whose, "but": bare(but.id, "ren") if but else _NOBODY, "now": now}
    row = plain(_SUMS, {**known, **span})[0]
    return Sums(int(row.earned), int(row.promised))
