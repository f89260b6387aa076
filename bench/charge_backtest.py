"""`python -m bench.charge_backtest`: weeks of use of electric cars, simulated, and how far the charge forecast is off.

The cars here are physics in kWh, watts and degrees, written without a look at `app/cars/charge_forecast.py`, which knows
percent and habits alone. What the forecast is given is what a real box and the bookings would give it: whole and half
percents with the bias of a battery computer, the first reading of each hour, distances as drivers guess them, and only
bookings that were made by then.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Final

from rich.console import Console
from rich.table import Table

from app.cars.charge_forecast import Now, Sample, Use, forecast, learn

START: Final = datetime(2027, 1, 4, tzinfo=UTC)
STEP: Final = timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEKS, LEARNS, CARS, SEED = 8, timedelta(days=7), 30, 20270104
HORIZONS: Final = (1, 3, 6, 12, 24, 48)
EVERY: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of car: usable kWh, kW at the socket, kWh per 100 km on a mild day, watts while asleep."""

    kwh: float
    socket_kw: float
    per_100_km: float
    asleep_w: float


MODELS: Final = (
    Model(16.7, 4.6, 14.5, 6.0),  # smart EQ
    Model(16.7, 22.0, 14.5, 6.0),  # the same with the fast charger
    Model(14.5, 3.3, 13.5, 4.0),  # C-ZERO, i-MiEV
    Model(41.0, 7.4, 16.0, 12.0),  # Zoe
)


@dataclass(slots=True)
class Trip:
    """A rental: as it was booked, as it was told, and as it went."""

    booked_at: datetime
    from_at: datetime
    to_at: datetime
    km: float
    stated_km: float | None
    leaves_at: datetime
    back_at: datetime
    drives: list[tuple[datetime, datetime]]


@dataclass(slots=True)
class Household:
    """What the people around one car are like."""

    plugs_by_habit: float
    obeys_rule: float
    rule: float | None
    timer_hour: int | None
    limit: float


class Vehicle:
    """A battery with a temperature around it, a charger, and a computer that says roughly what is in it."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self.model, self._chance = model, chance
        self.kwh = model.kwh * chance.uniform(0.5, 0.9)
        self.plugged = self.on = self.flows = False
        self._bias, self._lately = chance.gauss(0, 1.0), model.per_100_km
        self._knee = chance.uniform(0.86, 0.94)
        self._sockets = model.socket_kw * chance.uniform(0.9, 1.0)

    @property
    def percent(self) -> float:
        return 100 * self.kwh / self.model.kwh

    def read(self) -> float:
        """As the display says it."""
        self._bias = 0.995 * self._bias + self._chance.gauss(0, 0.08)
        return min(100.0, max(0.0, round(2 * (self.percent + self._bias)) / 2))

    def range_km(self) -> float:
        """By what it used lately, as such displays do."""
        return self.kwh / self._lately * 100

    def drive(self, km: float, celsius: float, temper: float) -> None:
        per_100 = self.model.per_100_km * (1 + 0.014 * max(0.0, 20 - celsius)) * temper
        self.kwh = max(0.0, self.kwh - km * per_100 / 100)
        self._lately += (per_100 - self._lately) * min(1.0, km / 60)

    def warm_up(self, celsius: float) -> None:
        """The cabin at the start of a drive."""
        self.kwh = max(0.0, self.kwh - 0.03 * max(0.0, 18 - celsius) * 0.5)

    def charge(self, hours: float, celsius: float, limit: float) -> None:
        """Constant power to the knee, then less and less; a cold battery takes less, and wastes more."""
        share = self.kwh / self.model.kwh
        kw = self._sockets * (1 if celsius > 5 else 0.85)
        if share > self._knee:
            kw *= max(0.06, (1.0 - share) / (1.0 - self._knee))
        self.flows = share < limit / 100 - 0.001
        if self.flows:
            efficiency = 0.9 - 0.002 * max(0.0, 15 - celsius)
            self.kwh = min(self.model.kwh * limit / 100, self.kwh + kw * efficiency * hours)

    def socket_kw(self) -> float | None:
        """Power at the socket while it flows, noisy as such readings are."""
        return self._sockets * self._chance.gauss(1, 0.03) if self.flows else None

    def sleep(self, hours: float) -> None:
        """Computer, box, and now and then something that does not go to bed."""
        watts = self.model.asleep_w + (60 if self._chance.random() < 0.02 else 0)
        self.kwh = max(0.0, self.kwh - watts / 1000 * hours)


@dataclass(slots=True)
class Life:
    """One car over the weeks: what its box told, and what was true at each step."""

    model: Model
    house: Household
    trips: list[Trip]
    samples: list[Sample] = field(default_factory=list)
    told: dict[datetime, Now] = field(default_factory=dict)
    truth: dict[datetime, float] = field(default_factory=dict)


def weather(chance: random.Random) -> dict[int, float]:
    """Mean degrees of each day, from winter into spring."""
    found, drift = {}, 0.0
    for day in range(WEEKS * 7 + 3):
        drift = 0.8 * drift + chance.gauss(0, 2)
        found[day] = 2 + 12 * day / (WEEKS * 7) + drift
    return found


def bookings(model: Model, chance: random.Random) -> list[Trip]:
    """About one a day, most of them made days before, some for right now."""
    found: list[Trip] = []
    at = START + timedelta(hours=chance.uniform(4, 20))
    reach = model.kwh / model.per_100_km * 100
    while at < START + WEEKS * 7 * DAY:
        length = timedelta(minutes=15 * round(chance.lognormvariate(math.log(12), 0.6)))
        km = min(reach * 0.55, chance.lognormvariate(math.log(24), 0.7))
        ahead = chance.uniform(24, 24 * 9) if chance.random() < 0.75 else chance.uniform(0.1, 12)
        guess = max(5.0, round(km * chance.lognormvariate(0, 0.25) / 5) * 5.0)
        leaves = at + timedelta(minutes=chance.uniform(0, 20))
        driving = timedelta(hours=km / chance.uniform(24, 45))
        back = max(leaves + driving * 1.05, at + length - timedelta(minutes=chance.uniform(0, 40)))
        out = leaves + driving / 2
        drives = [(leaves, out), (back - driving / 2, back)]
        stated = guess if chance.random() < 0.6 else None
        found.append(Trip(at - ahead * HOUR, at, at + length, km, stated, leaves, back, drives))
        hours = chance.lognormvariate(math.log(17), 0.7)
        at = max(at + length, back) + timedelta(hours=max(0.75, hours))
        at = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    return found


def live(model: Model, chance: random.Random) -> Life:
    """Let the weeks pass in steps of five minutes."""
    rule = chance.choice((None, 30.0, 40.0, 50.0))
    timer = 22 if chance.random() < 0.15 else None
    limit = chance.choice((100.0, 100.0, 90.0, 80.0))
    house = Household(chance.uniform(0.15, 0.95), chance.uniform(0.8, 1.0), rule, timer, limit)
    life, car, days = Life(model, house, bookings(model, chance)), Vehicle(model, chance), weather(chance)
    waiting = list(life.trips)
    plugs_at: datetime | None = None
    at, temper, drove = START, 1.0, False
    while at < START + (WEEKS * 7 + 2) * DAY:
        while waiting and at > waiting[0].back_at:
            plugs_at = _plugs_at(car, house, waiting.pop(0), chance)
        out = waiting[0] if waiting and at >= waiting[0].leaves_at else None
        celsius = days[(at - START).days] + 5 * math.sin((at.hour - 9) / 24 * 2 * math.pi)
        if out is not None:
            car.plugged, plugs_at = False, None
            if not drove:
                temper = chance.lognormvariate(0, 0.12)
                car.warm_up(celsius)
            drove = True
            driving = sum((end - begin for begin, end in out.drives), timedelta(0))
            if car.on:
                car.drive(out.km * (STEP / driving), celsius, temper)
        else:
            drove = False
            car.plugged = car.plugged or (plugs_at is not None and at >= plugs_at)
        car.on = out is not None and any(begin <= at < end for begin, end in out.drives)
        _stand(car, house, at, celsius)
        _tell(life, car, at, lent=any(one.from_at <= at < one.back_at for one in waiting[:1]))
        at += STEP
    return life


def _plugs_at(car: Vehicle, house: Household, trip: Trip, chance: random.Random) -> datetime | None:
    """When somebody gets round to it, if anybody does."""
    due = house.rule is not None and car.percent < house.rule and chance.random() < house.obeys_rule
    if due or chance.random() < house.plugs_by_habit:
        return trip.back_at + timedelta(minutes=chance.expovariate(1 / 15))
    return None


def _stand(car: Vehicle, house: Household, at: datetime, celsius: float) -> None:
    waits = house.timer_hour is not None and 7 <= at.hour < house.timer_hour
    car.flows = False
    if car.plugged and not waits:
        car.charge(STEP / HOUR, celsius, house.limit)
    if not car.on and not car.flows:
        car.sleep(STEP / HOUR)


def _tell(life: Life, car: Vehicle, at: datetime, *, lent: bool) -> None:
    """What the box says at this step, kept where the hour begins or somebody will ask."""
    life.truth[at] = car.percent
    percent, kw = car.read(), car.socket_kw()
    if at.minute == 0:
        used = lent or car.on
        life.samples.append(Sample(at, percent, car.plugged, car.flows, used))
    elif (lent or car.on) and life.samples and not life.samples[-1].used:
        last = life.samples[-1]
        life.samples[-1] = Sample(last.at, last.charge_percent, last.plugged, last.charging, used=True)
    life.told[at] = Now(
        at=at,
        charge_percent=percent,
        charging=car.flows,
        charge_kw=kw,
        capacity_kwh=life.model.kwh,
        limit_percent=life.house.limit,
        percent_per_km=percent / car.range_km() if percent >= 10 else None,
    )


@dataclass(frozen=True, slots=True)
class Score:
    """One forecast against what came."""

    horizon: str
    error: float
    inside: bool
    stays: float


def scores(life: Life, chance: random.Random) -> Iterator[Score]:
    """Ask every few hours, for each horizon, and for the start of the next rental."""
    at = START + LEARNS
    end = START + WEEKS * 7 * DAY
    while at < end:
        habits = learn([one for one in life.samples if at - timedelta(days=28) <= one.at <= at])
        uses = [Use(one.from_at, one.to_at, one.stated_km) for one in life.trips if one.booked_at <= at]
        asked = {f"{hours} h": at + hours * HOUR for hours in HORIZONS}
        ahead = [one.from_at for one in life.trips if one.booked_at <= at < one.from_at]
        if ahead and min(ahead) - at <= 6 * HOUR:
            asked["next start, within 6 h"] = min(ahead)
        for name, when in asked.items():
            found = forecast(life.told[at], habits, uses, when, life.house.rule)
            true = life.truth[when]
            now = life.told[at].charge_percent
            yield Score(name, found.percent - true, found.low <= true <= found.high, now - true)
        at += EVERY + STEP * chance.randrange(12)


def main() -> int:
    chance = random.Random(SEED)
    found: dict[str, list[Score]] = {}
    for index in range(CARS):
        life = live(MODELS[index % len(MODELS)], chance)
        for one in scores(life, chance):
            found.setdefault(one.horizon, []).append(one)
    table = Table("horizon", "forecasts", "mean abs. error", "bias", "in the 90 % band", "as it is now")
    for name in (*(f"{hours} h" for hours in HORIZONS), "next start, within 6 h"):
        rows = found[name]
        table.add_row(
            name,
            f"{len(rows):,}",
            f"{fmean(abs(one.error) for one in rows):.1f}",
            f"{fmean(one.error for one in rows):+.1f}",
            f"{fmean(one.inside for one in rows):.0%}",
            f"{fmean(abs(one.stays) for one in rows):.1f}",
        )
    console = Console(width=110, highlight=False)
    console.print(f"{CARS} cars, {WEEKS} weeks each, errors in percentage points of charge")
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
