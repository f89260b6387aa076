"""Alerts of a car: told once to whoever holds it, then to the owner if the cause still stands; anew only after it cleared.

What was told is remembered in the box's row, which `readings.take_all` has locked; `watch.py` says whether a cause stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import select, text

from app.cars import box as boxes
from app.cars import custody, hourly, reachability, twelve_volt, watch
from app.cars.models import Box, Car, Custody
from app.facts import (
    AlarmSounded,
    AlertStands,
    CarCarried,
    ChargeLow,
    DoorLeftOpen,
    NotPluggedIn,
    TwelveVoltFalling,
    TwelveVoltLow,
    TyreSoft,
)
from app.kit import clock, deadlines, facts
from app.kit.clock import z
from app.kit.db import session, transactional
from app.kit.facts import Fact

FELL_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Before:
    """The readings of a box, and when it was last heard, before what has just come."""

    state: dict[str, Any]
    heard_at: datetime | None


class Held:
    """The car of a box and who holds it now, asked only when something is to be said or noted."""

    def __init__(self, box: Box) -> None:
        self._box = box

    @cached_property
    def car(self) -> Car:
        return session.get_one(Car, self._box.car_id)

    @cached_property
    def rental(self) -> str | None:
        """The rental under which it is out; None: the owner has it."""
        out = custody.lent_to(self.car.no)
        return out.rental_id if out else None


def standing(box: Box | None) -> dict[str, dict[str, Any]]:
    """The alerts that stand: cause -> when it began, who held the car, whether the owner was told."""
    return dict(box.watch.get("alerts", {})) if box is not None else {}


def look(box: Box, before: Before, now: datetime) -> None:
    """After every reading that the box itself sent: what begins is told, what is over is forgotten."""
    seen, held = watch.seen(box.state), Held(box)
    _note_door(box, seen, now)
    stood = frozenset(standing(box))
    stands = watch.causes(seen, stood)
    if _hour_begins(box, now):
        stands = _each_hour(box, seen, held, before, now, stands)
    elif seen.drivable is True and not box.watch.get("used"):
        hourly.note(held.car.no, now, seen, used=True)
        box.watch = {**box.watch, "used": True}
    for cause in sorted(stood - stands):
        _end(box, cause)
    for cause in sorted(stands - stood):
        begin(box, cause, _FACTS[cause](seen, held, now), held.rental, now)


def _hour_begins(box: Box, now: datetime) -> bool:
    return bool(box.watch.get("hour") != z(hourly.hour_of(now)))


def _each_hour(
    box: Box, seen: watch.Seen, held: Held, before: Before, now: datetime, stands: frozenset[str]
) -> frozenset[str]:
    """Note the hour, count how well the box is heard where it stands, and look at the plug; once a day at the 12 V trend."""
    used = seen.drivable is True or held.rental is not None
    hourly.note(held.car.no, now, seen, used=used)
    place = reachability.parked_in(held.car.no, before.state)
    if place is not None and before.heard_at is not None:
        reachability.count(held.car.no, place, reachability.counted(before.heard_at, now))
    new_day = box.watch.get("hour", "")[:10] != z(now)[:10]
    box.watch = {**box.watch, "hour": z(hourly.hour_of(now)), "used": seen.drivable is True}
    if new_day:
        stands = _with(stands, "battery_12v_falling", stand=_is_falling(held.car, now, stands))
    rule = held.car.charge_rule or {}
    if held.rental is not None or watch.wants_plug(seen, rule.get("plug_below")):
        stands = _with(stands, "not_plugged", stand=held.rental is None)
    return stands


def _with(stands: frozenset[str], cause: str, *, stand: bool) -> frozenset[str]:
    return stands | {cause} if stand else stands - {cause}


def _is_falling(car: Car, now: datetime, stands: frozenset[str]) -> bool:
    """By the trend, once a day; a battery that is low already has said all there is to say."""
    found = twelve_volt.trend(hourly.rests(hourly.of(car.no, now - twelve_volt.WINDOW)), now)
    return found is not None and found.is_falling and "battery_12v_low" not in stands


# -- begin and end ---------------------------------------------------------------------------------------------------


def begin(box: Box, cause: str, fact: Fact, rental: str | None, now: datetime, **about: Any) -> None:
    """A cause begins to stand: it is told, and while a driver has the car the owner is told later, if it still does."""
    told = {"since": z(now), "rental": rental, "owner": rental is None, **about}
    box.watch = {**box.watch, "alerts": {**standing(box), cause: told}}
    facts.record(fact)
    if rental is not None:
        deadlines.at("alert_owner", f"{box.car_id}/{cause}", now + watch.OWNER_AFTER[cause])


def end(box: Box, cause: str) -> None:
    """The cause is gone, if it stood: the next time it is news again."""
    if cause in standing(box):
        _end(box, cause)


def _end(box: Box, cause: str) -> None:
    left = standing(box)
    if not left.pop(cause)["owner"]:
        deadlines.drop(f"{box.car_id}/{cause}", "alert_owner")
    box.watch = {**box.watch, "alerts": left}


@transactional
def tell_owner(ref: str) -> None:
    """Whoever holds the car has not mended it in the time they had."""
    car_id, cause = ref.split("/")
    box = locked(car_id)
    told = standing(box).get(cause)
    if box is None or told is None or told["owner"]:
        return
    if not still_booked(told.get("for")):
        _end(box, cause)
        return
    box.watch = {**box.watch, "alerts": {**standing(box), cause: {**told, "owner": True}}}
    percent = told.get("percent", watch.seen(box.state).charge_percent)
    facts.record(
        AlertStands(
            car=car_id,
            rental=told["rental"],
            cause=cause,
            percent=int(percent) if percent is not None else None,
            at=datetime.fromisoformat(told["at"]) if "at" in told else None,
        )
    )


def locked(car_id: str) -> Box | None:
    """The box in service, its row locked."""
    box = boxes.live(car_id)
    if box is not None:
        session.refresh(box, with_for_update=True)
    return box


def still_booked(rental: str | None) -> bool:
    """Whether the rental an alert was about still holds its slot; True where it was about none."""
    statement = text("select 1 from occupancy where ref = :ref and kind = 'rental'")
    return rental is None or session.execute(statement, {"ref": rental}).first() is not None


# -- doors -----------------------------------------------------------------------------------------------------------


def _note_door(box: Box, seen: watch.Seen, now: datetime) -> None:
    """From a door's opening its time runs; closed, or driven off, it is forgotten."""
    waits, noted = watch.doors_wait(seen), "door_since" in box.watch
    if waits and not noted:
        box.watch = {**box.watch, "door_since": z(now)}
        deadlines.at("door_open", box.car_id, now + watch.DOOR_OPEN_FOR)
    elif noted and not waits:
        box.watch = {name: value for name, value in box.watch.items() if name != "door_since"}
        deadlines.drop(box.car_id, "door_open")


@transactional
def door_left_open(car_id: str) -> None:
    """A door has been open for ten minutes while nobody drove."""
    box = locked(car_id)
    if box is None or "door_since" not in box.watch or "door_open" in standing(box):
        return
    held, now = Held(box), clock.now()
    fact = DoorLeftOpen(car=car_id, rental=held.rental, doors=",".join(watch.seen(box.state).open_doors))
    begin(box, "door_open", fact, held.rental, now)


# -- what is told ----------------------------------------------------------------------------------------------------


def _charge_low(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del now
    return ChargeLow(car=held.car.id, rental=held.rental, percent=int(seen.charge_percent or 0))


def _battery_low(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    millivolts = round((seen.battery_12v or 0) * 1000)
    return TwelveVoltLow(held.car.id, held.rental, millivolts, fell_with=_fell_with(held.car, now))


def _battery_falling(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del seen
    found = twelve_volt.trend(hourly.rests(hourly.of(held.car.no, now - twelve_volt.WINDOW)), now)
    slope = round(found.volts_per_day * 1000) if found is not None else 0
    return TwelveVoltFalling(held.car.id, held.rental, slope, fell_with=_fell_with(held.car, now))


def _fell_with(car: Car, now: datetime) -> str | None:
    """The rental in whose time it fell most within a week; None: the owner's own."""
    rows = hourly.of(car.no, now - FELL_WITHIN)
    fell = twelve_volt.falls(hourly.rests(rows), holders(car.no, now - FELL_WITHIN))
    return fell[0].rental if fell else None


def _tyre_soft(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del now
    wheels = ",".join(str(one) for one in watch.soft_wheels(seen))
    return TyreSoft(car=held.car.id, rental=held.rental, wheels=wheels)


def _alarm_sounded(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del seen, now
    return AlarmSounded(car=held.car.id, rental=held.rental)


def _car_carried(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del seen, now
    return CarCarried(car=held.car.id, rental=held.rental)


def _not_plugged(seen: watch.Seen, held: Held, now: datetime) -> Fact:
    del now
    return NotPluggedIn(car=held.car.id, percent=int(seen.charge_percent or 0))


_FACTS: dict[str, Callable[[watch.Seen, Held, datetime], Fact]] = {
    "charge_low": _charge_low,
    "battery_12v_low": _battery_low,
    "battery_12v_falling": _battery_falling,
    "tyre": _tyre_soft,
    "alarm": _alarm_sounded,
    "carried": _car_carried,
    "not_plugged": _not_plugged,
}
"""Those of each reading; a door left open and a charge that falls short are judged at their own times."""


def holders(car_no: int, since: datetime) -> list[twelve_volt.Held]:
    """Who has held the car since then, oldest first."""
    rows = session.scalars(
        select(Custody)
        .where(Custody.car_no == car_no, (Custody.to_at.is_(None)) | (Custody.to_at > since))
        .order_by(Custody.from_at, Custody.id)
    )
    return [twelve_volt.Held(one.rental_id, one.from_at, one.to_at) for one in rows]
