"""Readiness: one engine that shows ahead what unlock and lock will ask, and refuses with exactly that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select

from app.billing import deposit, fraud_warning, hold
from app.cars import alerts, capabilities, custody, kept, occupancy, reachability, readings
from app.cars import box as boxes
from app.cars.models import Box, Car
from app.communities.models import Community, Membership
from app.coverage import cover
from app.coverage.cover import Trip
from app.kit import i18n, steady
from app.kit.clock import z
from app.kit.db import session
from app.kit.errors import NotReady
from app.kit.keys import settings
from app.people import conditions as accepted
from app.people import licence
from app.people.models import Phone
from app.rentals import commands, due_back, grants_out, photo_rules, photos, place
from app.rentals.lifecycle import OUT, State
from app.rentals.models import Quote, Rental
from app.rentals.photo_rules import At

EARLY, FRESH = timedelta(minutes=15), timedelta(seconds=60)
PAID = ("none", "held", "captured")


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must be so; `observed_at` is when it was seen, where it was seen at the car."""

    code: str
    met: bool
    blocking: bool = True
    observed_at: datetime | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, from which phone, and whether the rows are locked for a step."""

    person: str
    phone: str | None
    lock: bool = False
    keys_in_glove_box: bool | None = None
    plugged_in: bool | None = None


def of(car: Car, rental: Rental, step: str, at: datetime, asked: Asked) -> list[Condition]:
    """Every condition of the step, met or not, in the order of the contract."""
    box = boxes.live(car.id)
    found = _unlock(car, rental, box, at, asked) if step == "unlock" else _lock(car, rental, box, at, asked)
    return [with_remedy(step, one) for one in found]


def with_remedy(step: str, one: Condition) -> Condition:
    if one.met:
        return one
    remedy = one.remedy or i18n.say(f"condition.{step}.{one.code}")
    return Condition(one.code, one.met, one.blocking, one.observed_at, remedy)


def require(found: list[Condition], *, keep: bool = False) -> None:
    """Raises NotReady with exactly the unmet blocking conditions; `keep`: what was deferred until here stays."""
    unmet = [one for one in found if one.blocking and not one.met]
    if unmet:
        words = "; ".join(one.remedy or one.code for one in unmet)
        problem = NotReady(words, conditions=[as_json(one) for one in unmet])
        problem.keeps = keep
        if any(one.code == "clock" for one in unmet):
            problem.headers["Retry-After"] = str(steady.watch().wait_s())
        raise problem


def as_json(one: Condition) -> dict[str, Any]:
    return {
        "code": one.code,
        "met": one.met,
        "blocking": one.blocking,
        "observed_at": z(one.observed_at) if one.observed_at else None,
        "remedy": one.remedy,
    }


# -- unlock ----------------------------------------------------------------------------------------------------------


def _unlock(car: Car, rental: Rental, box: Box | None, at: datetime, asked: Asked) -> Iterator[Condition]:
    yield Condition("state", rental.stands in (State.BOOKED, State.UNLOCKING))
    early = EARLY if _idle(car, rental, at) else timedelta(0)
    yield Condition("time", rental.from_at - early <= at < rental.to_at)
    back = _back(car, rental)
    yield Condition("car_back", back, remedy=None if back else due_back.remedy(car, rental, at))
    yield Condition("other_rental", not _drives_another(rental))
    yield Condition("membership", _is_member(rental, lock=asked.lock))
    yield Condition("licence", _is_cleared(car, rental, at, lock=asked.lock))
    yield Condition("accepted", _has_accepted(rental))
    yield Condition("phone", phone_is_good(asked))
    yield _payment(rental, lock=asked.lock)
    yield _cover(car, rental, at, lock=asked.lock)
    yield Condition("command", commands.open_of(car.no) is None)
    heard = boxes.heard_within(box, settings().box_heard_within_min)
    heard = heard or grants_out.in_hand(rental.id, asked.phone)
    yield Condition("box", heard, observed_at=box.last_heard_at if box else None)
    yield _capability(box)
    yield _charge(car, box)
    yield _photos(rental, At.UNLOCK)
    yield Condition("safe", not car.unsafe)
    yield _clock(lock=asked.lock)
    yield from _standing(box)


def _payment(rental: Rental, *, lock: bool) -> Condition:
    """Rent and deposit are secured, and no bank warns of fraud by this driver: that stops only what costs money."""
    rows = hold.all_of(rental.id, share_lock=lock)
    stands = hold.rent_standing(rows)
    if stands in PAID and stands != "none" and fraud_warning.stops(rental.driver_id):
        return Condition("payment", met=False, remedy=i18n.say("condition.unlock.payment.warned"))
    if stands in PAID and not deposit.is_held(rows):
        return Condition("payment", met=False, remedy=i18n.say("condition.unlock.payment.deposit"))
    return Condition("payment", stands in PAID)


def _idle(car: Car, rental: Rental, at: datetime) -> bool:
    """Nothing else holds the minutes before the start."""
    return (
        not [one for one in occupancy.spans(car, at, rental.from_at) if one[1] != rental.id]
        if at < rental.from_at
        else True
    )


def _back(car: Car, rental: Rental) -> bool:
    held = custody.lent_to(car.no)
    if held is not None and held.rental_id != rental.id:
        return False
    covered = cover.open_of_car(car.no)
    return covered is None or covered.rental_id == rental.id


def _drives_another(rental: Rental) -> bool:
    others = select(Rental.id).where(
        Rental.driver_id == rental.driver_id,
        Rental.id != rental.id,
        Rental.state.in_([state.value for state in OUT]),
    )
    return session.execute(others.limit(1)).first() is not None


def _is_member(rental: Rental, *, lock: bool) -> bool:
    statement = select(Membership.blocked).where(
        Membership.community_id == rental.community_id,
        Membership.person_id == rental.driver_id,
        Membership.ended_at.is_(None),
    )
    blocked = session.execute(
        statement.with_for_update(read=True) if lock else statement
    ).scalar_one_or_none()
    return blocked is False


def _is_cleared(car: Car, rental: Rental, at: datetime, *, lock: bool) -> bool:
    """Checked by whom the master policy demands, and valid to the planned end."""
    stands = licence.standing(rental.driver_id, rental.community_id, at, share_lock=lock)
    if stands.state != "cleared" or stands.licence is None or stands.level is None:
        return False
    enough = licence.LEVELS.index(stands.level) >= licence.LEVELS.index(cover.clearance_needed(car))
    return enough and stands.licence.expires_on >= rental.to_at.date()


def _has_accepted(rental: Rental) -> bool:
    frozen = session.get(Quote, rental.quote_id)
    assert frozen is not None
    return set(frozen.conditions) <= accepted.accepted(rental.driver_id)


_PHONE = select(Phone.person_id, Phone.revoked_at, Phone.confirmed_at).where(Phone.id == bindparam("phone"))
_PHONE_LOCKED = _PHONE.with_for_update(read=True)


def phone_is_good(asked: Asked) -> bool:
    if asked.phone is None:
        return False
    phone = session.execute(_PHONE_LOCKED if asked.lock else _PHONE, {"phone": asked.phone}).first()
    return (
        phone is not None
        and phone.person_id == asked.person
        and phone.revoked_at is None
        and (phone.confirmed_at is not None)
    )


def _cover(car: Car, rental: Rental, at: datetime, *, lock: bool) -> Condition:
    trip = Trip(rental.id, car, rental.driver_id, rental.community_id, rental.from_at, rental.to_at)
    reasons = cover.reasons_against(trip, at=at, share_lock=lock)
    if reasons and set(reasons) <= cover.LIMITS:
        return cover_at_limit()
    return Condition("cover", not reasons)


def cover_at_limit() -> Condition:
    """What may be bound before the insurer takes note is used up: that lies with nobody at the car."""
    return Condition("cover", met=False, remedy=i18n.say("condition.unlock.cover.limit"))


def _capability(box: Box | None) -> Condition:
    """Set up so that it can unlock and lock; `observed_at` is when it had been seen to do both, None is not yet."""
    if box is None:
        return Condition("capability", met=False)
    can = capabilities.opens(box.config, has_pin=box.pin_sealed is not None)
    return Condition("capability", can, observed_at=capabilities.seen_to_open(box.capabilities))


def _charge(car: Car, box: Box | None) -> Condition:
    least = (car.charge_rule or {}).get("min_start")
    percent = readings.value(box, "charge_percent")
    met = least is None or percent is None or percent >= least
    return Condition("charge", met, observed_at=readings.instant(box, "charge_percent"))


def _photos(rental: Rental, at: At) -> Condition:
    """Once round the car where the community asks for it: it opens with them alone, and is locked without them too.

    At the lock those count that came since the car was last opened: before that it had not been brought back.
    """
    rule = session.get_one(Community, rental.community_id).rule("photos")
    since = commands.last_opened_at(rental) if at is At.LOCK else None
    there = photos.angles(rental.id, at, since) if rule in photo_rules.ASKS[at] else set()
    missing = photo_rules.missing(at, rule, there)
    if not missing:
        return Condition("photos", met=True, blocking=at is At.UNLOCK)
    angles = ", ".join(i18n.say(f"angle.{one}") for one in missing)
    remedy = i18n.say("condition.photos.missing", angles=angles)
    return Condition("photos", met=False, blocking=at is At.UNLOCK, remedy=remedy)


def _standing(box: Box | None) -> Iterator[Condition]:
    """What a car was left with: it opens all the same, or does not, before anybody can tell."""
    ajar = [name for name in kept.DOORS if readings.value(box, name) is True]
    yield Condition(
        "doors", not ajar, blocking=False, observed_at=readings.instant(box, ajar[0] if ajar else "door_fl")
    )
    low = "battery_12v_low" in alerts.standing(box)
    yield Condition("battery_12v", not low, blocking=False, observed_at=readings.instant(box, "battery_12v"))


def _clock(*, lock: bool) -> Condition:
    """No cover begins by a clock that was just set. The step itself looks once more, for what happened a moment ago."""
    watch = steady.watch()
    if lock:
        watch.look()
    if watch.steady:
        return Condition("clock", met=True)
    remedy = i18n.say("condition.unlock.clock", seconds=watch.wait_s())
    return Condition("clock", met=False, remedy=remedy)


# -- lock ------------------------------------------------------------------------------------------------------------


def _lock(car: Car, rental: Rental, box: Box | None, at: datetime, asked: Asked) -> Iterator[Condition]:
    def seen(name: str) -> Any:
        return readings.recent(box, name, FRESH, at)

    yield Condition("state", rental.stands in (State.UNLOCKING, State.ACTIVE, State.LOCKING))
    open_command = commands.open_of(car.no)
    yield Condition("command", open_command is None)
    yield Condition(
        "box",
        boxes.heard_within(box, settings().box_heard_within_min),
        blocking=False,
        observed_at=box.last_heard_at if box else None,
    )
    ajar = [name for name in kept.DOORS if seen(name) is True]
    yield Condition("doors", not ajar, observed_at=readings.instant(box, ajar[0] if ajar else "door_fl"))
    yield Condition("ignition", seen("drivable") is not True, observed_at=readings.instant(box, "drivable"))
    yield _keys(box, seen("keys_in_glove_box"), asked)
    yield _place(car, box, at)
    yield _plugged(car, box, seen("plugged"), asked)
    yield _photos(rental, At.LOCK)
    far = reachability.poor_where_it_stands(car.no, box)
    yield Condition("reachable", not far, blocking=False, observed_at=readings.instant(box, "latitude"))


def _keys(box: Box | None, seen: Any, asked: Asked) -> Condition:
    """The sensor decides where there is one and it was heard; else the driver's statement, recorded as such."""
    if box is not None and box.key_sensor and seen is not None:
        return Condition("keys", bool(seen), observed_at=readings.instant(box, "keys_in_glove_box"))
    return Condition("keys", asked.keys_in_glove_box is True)


def _place(car: Car, box: Box | None, at: datetime) -> Condition:
    far = place.outside(car, box, at)
    return Condition("place", not far, observed_at=readings.instant(box, "latitude"))


def _plugged(car: Car, box: Box | None, seen: Any, asked: Asked) -> Condition:
    below = (car.charge_rule or {}).get("plug_below")
    percent = readings.value(box, "charge_percent")
    if below is None or percent is None or percent >= below:
        return Condition("plugged", met=True, observed_at=readings.instant(box, "charge_percent"))
    return Condition(
        "plugged",
        bool(seen) if seen is not None else asked.plugged_in is True,
        observed_at=readings.instant(box, "plugged"),
    )
