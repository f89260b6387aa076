"""Readings: the car's state as its box reported it, stamped on arrival, overwritten, never a track."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.cars import access, alerts, capabilities, custody, kept, rotate
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
)
OFFLINE_AFTER = timedelta(minutes=25)


def as_json(delta: BoxState, at: datetime) -> dict[str, Any]:
    """Readings to keep: value and business instant of arrival; a retained one has no instant."""
    found = {}
    for name in KEPT:
        reading = delta.get(name)
        if reading is not None:
            found[name] = {"value": reading.value, "at": None if reading.retained else z(at)}
    return found


@transactional
def take(username: str, delta: BoxState) -> None:
    """What boxlink heard from a box. A retained value never replaces one whose age is known."""
    box = session.scalars(
        select(Box).where(Box.username == username, Box.removed_at.is_(None)).with_for_update()
    ).first()
    if box is None and _speaks(delta):
        box = rotate.heard_on_next(username)
    if box is None:
        return
    now, before = clock.now(), alerts.Before(box.state, box.last_heard_at)
    speaks = _speaks(delta)
    if speaks:
        box.last_heard_at, box.told_offline = now, False
    connected = delta.flag("connected")
    if connected is not None and not delta["connected"].retained:
        box.connected = connected
    merge(box, delta, now)
    if speaks:
        alerts.look(box, before, now)


def _speaks(delta: BoxState) -> bool:
    """Whether the box itself said something: not what the broker kept, nor its word that the box is gone."""
    return any(
        not reading.retained and (name, reading.value) != ("connected", False)
        for name, reading in delta.items()
    )


def merge(box: Box, delta: BoxState, now: datetime) -> None:
    """Overwrite what is known by what just came, and note what that proves of the box."""
    _note_proofs(box, delta, now)
    state = dict(box.state)
    for name, reading in as_json(delta, now).items():
        if reading["at"] is not None or state.get(name, {}).get("at") is None:
            state[name] = reading
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
