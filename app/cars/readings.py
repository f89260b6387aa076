"""Readings: the car's state as its box reported it, stamped on arrival, overwritten, never a track."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.cars import abroad, access, alerts, capabilities, custody, kept, rotate
from app.cars.models import Box
from app.facts import BoxOffline
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import session, transactional
from carbox.box import BoxState

KEPT = (
    "charge_percent",
    "range_km",
    "odometer_km",
    "locked",
    "drivable",
    "door_fl",
    "door_fr",
    "door_rl",
    "door_rr",
    "trunk",
    "hood",
    "plugged",
    "charging",
    "keys_in_glove_box",
    "latitude",
    "longitude",
    "battery_12v",
    "speed_kmh",
    "charge_kw",
    "charge_limit_percent",
    "capacity_kwh",
    "tyre_kpa",
    "tyre_alert",
    "alarm",
    "carried",
    "battery_celsius",
    "connected",
)
OFFLINE_AFTER = timedelta(minutes=25)
_HEARD = (
    select(Box)
    .where(Box.username == any_(bindparam("usernames", type_=ARRAY(Text))), Box.removed_at.is_(None))
    .order_by(Box.id)
    .with_for_update()
)


def take(username: str, delta: BoxState) -> None:
    """What boxlink heard from one box."""
    take_all({username: delta})


@transactional
def take_all(batch: Mapping[str, BoxState]) -> None:
    """What boxlink heard from many boxes, by username: one look, one writing."""
    found = [(box, batch[box.username]) for box in session.scalars(_HEARD, {"usernames": list(batch)})]
    for username in batch.keys() - {box.username for box, _ in found}:
        box = rotate.heard_on_next(username) if _spoken(batch[username]) else None
        if box is not None:
            found.append((box, batch[username]))
    with session.no_autoflush:  # what a rule looks up for one box has nothing to do with the others
        for box, delta in found:
            _take(box, delta, clock.now())


def _take(box: Box, delta: BoxState, now: datetime) -> None:
    before = alerts.Before(box.state, box.last_heard_at)
    merge(box, delta, now)
    if kept.instant(box.state, "connected") is not None:
        box.connected = kept.value(box.state, "connected") is True
    spoken = _spoken(delta)
    if spoken:
        heard = clock.of_receipt(max(spoken))
        box.last_heard_at, box.told_offline = max(heard, before.heard_at or heard), False
        alerts.look(box, before, now)
        abroad.look(box, delta)


def _spoken(delta: BoxState) -> list[datetime]:
    """When the box itself said something: not what the broker kept, nor its word that the box is gone."""
    return [
        one.received_at
        for name, one in delta.items()
        if not one.retained and (name, one.value) != ("connected", False)
    ]


def merge(box: Box, delta: BoxState, now: datetime) -> None:
    """Overwrite what was received earlier than what just came, and note what that proves of the box.

    A retained value is of unknown age and never replaces one whose age is known.
    """
    _note_proofs(box, delta, now)
    state = dict(box.state)
    for name in KEPT:
        reading = delta.get(name)
        if reading is None:
            continue
        known = (state.get(name) or {}).get("at")
        at = None if reading.retained else z(clock.of_receipt(reading.received_at))
        if known is None or (at is not None and known <= at):
            state[name] = {"value": reading.value, "at": at}
    box.state = state


def _note_proofs(box: Box, delta: BoxState, now: datetime) -> None:
    """What the box was seen to report, for the owner who has paired it."""
    optimistic = bool(box.config.get("optimistic_lock"))
    found = capabilities.seen(box.state, delta, optimistic_lock=optimistic)
    proved = capabilities.merged(box.capabilities, found, z(now))
    if proved is not None:
        box.capabilities = proved


def _rental(car_id: str) -> str | None:
    out = custody.lent_to(access.of(car_id).no)
    return out.rental_id if out else None


@transactional
def tell_offline(heard_within: timedelta = OFFLINE_AFTER) -> int:
    """Tell, once, whoever holds a car whose box has not been heard for too long; returns how many."""
    limit = clock.now() - heard_within
    rows = session.scalars(
        select(Box)
        .where(Box.removed_at.is_(None), Box.told_offline.is_(False), Box.last_heard_at < limit)
        .with_for_update(skip_locked=True)
        .limit(100)
    ).all()
    for box in rows:
        box.told_offline = True
        facts.record(BoxOffline(car=box.car_id, rental=_rental(box.car_id)))
    return len(rows)


def value(box: Box | None, name: str) -> Any:
    return kept.value(box.state, name) if box is not None else None


def instant(box: Box | None, name: str) -> datetime | None:
    return kept.instant(box.state, name) if box is not None else None


def recent(box: Box | None, name: str, within: timedelta, now: datetime) -> Any:
    """The value if it is younger than `within`, else None."""
    at = instant(box, name)
    return value(box, name) if at is not None and now - at <= within else None


def shown(box: Box | None) -> dict[str, Any]:
    """State as owner and driver see it: no place."""

    def one(name: str) -> dict[str, Any]:
        return {"value": value(box, name), "at": instant(box, name)}

    return {
        "charge_percent": one("charge_percent"),
        "range_km": one("range_km"),
        "odometer_km": one("odometer_km"),
        "locked": one("locked"),
        "drivable": one("drivable"),
        "plugged": one("plugged"),
        "charging": one("charging"),
        "keys_in_glove_box": one("keys_in_glove_box"),
        "battery_12v": one("battery_12v"),
        "charge_kw": one("charge_kw"),
        "doors": {
            "value": None
            if value(box, kept.DOORS[0]) is None
            else [name for name in kept.DOORS if value(box, name)],
            "at": instant(box, kept.DOORS[0]),
        },
        "last_heard_at": box.last_heard_at if box else None,
    }
