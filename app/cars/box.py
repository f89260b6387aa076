"""The car's box: pair it, rotate its password, take it out; what its wiring is and when it was last heard."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import segno
from flask import current_app
from sqlalchemy import select

from app.cars import access
from app.cars.models import Box, Car
from app.facts import BoxPaired, BoxRemoved
from app.kit import clock, facts
from app.kit.db import new_id, notify, session, transactional
from app.kit.errors import InUse, NotFound, Unavailable, Validation
from app.kit.keys import seal, settings, unseal
from carbox.box import BadCommand, BoxAddress, Command, CommandKind, DoorHow, DoorWiring, KeySensor, Pulse
from carbox.box import Box as Wired
from carbox.broker_accounts import new_password, password_hash
from carbox.ovms_commands import command_line

LOADED_WITHIN_S = 20
KEEPALIVE_S = 60
OPEN_COMMANDS: list[Callable[[str], list[str]]] = []
"""Who knows what still needs the box of a car; the factory fills it."""


@transactional
def put(person: str, car_id: str, body: dict[str, Any]) -> tuple[Box, str]:
    """Pair a box (a second PUT replaces it). Returns the row and its password, shown once. Raises InUse."""
    car = access.may_run(car_id, person, lock=True)
    _refuse_in_use(car)
    old = live(car.id)
    if old is not None:
        _cut(old)
    config = body.get("config") or {}
    made_id = new_id("box")
    password = new_password()
    box = Box(
        id=made_id,
        car_id=car.id,
        kind=body["kind"],
        username=f"box-{made_id[-16:]}",
        vehicle=f"v{made_id[-8:]}",
        password_hash=password_hash(password),
        has_immobiliser=body["has_immobiliser"],
        key_sensor=body["key_sensor"],
        config={name: value for name, value in config.items() if name != "pin"},
        pin_sealed=seal("pin", config["pin"].encode()) if config.get("pin") else None,
        state={},
        capabilities={},
        made_at=clock.now(),
    )
    _refuse_unusable(wiring(box))
    session.add(box)
    session.flush()
    facts.record(BoxPaired(car=car.id, box=box.id))
    notify("boxes", box.id)
    return box, password


@transactional
def rotate(person: str, car_id: str) -> tuple[Box, str, str]:
    """A new password; the old is dead when this is answered. Also gives the old hash. Raises NotFound, InUse."""
    car = access.may_run(car_id, person, lock=True)
    box = find(car.id)
    _refuse_in_use(car)
    password, old = new_password(), box.password_hash
    box.password_hash, box.loaded_at = password_hash(password), None
    session.flush()
    notify("boxes", box.id)
    return box, password, old


@transactional
def remove(person: str, car_id: str) -> None:
    """Take the box out; its account is cut. Raises NotFound, InUse."""
    car = access.may_run(car_id, person, lock=True)
    box = find(car.id)
    _refuse_in_use(car)
    _cut(box)


def _cut(box: Box) -> None:
    box.removed_at = clock.now()
    session.flush()
    facts.record(BoxRemoved(car=box.car_id, box=box.id))
    notify("boxes", box.id)


def _refuse_in_use(car: Car) -> None:
    used_by = [what for ask in OPEN_COMMANDS for what in ask(car.id)]
    if used_by:
        raise InUse("The car is lent, or a command to its box is open.", by=used_by)


def wait_loaded(box: str, old_hash: str | None) -> None:
    """Until boxlink has loaded the account into the broker, at most 20 s; else all is as before: Unavailable."""
    waiting = current_app.extensions["glovebox"].commands

    def loaded() -> bool:
        found = session.execute(select(Box.loaded_at).where(Box.id == box)).scalar_one_or_none()
        session.rollback()
        return found is not None

    if not waiting.until(box, loaded, LOADED_WITHIN_S):
        _undo(box, old_hash)
        raise Unavailable("The broker did not take the account in time; nothing was kept. Try again.")


@transactional
def _undo(box: str, old_hash: str | None) -> None:
    """A new box is dropped, a rotated one keeps the password it had."""
    found = session.get(Box, box, with_for_update=True)
    if found is None or found.loaded_at is not None:
        return
    if old_hash is None:
        _cut(found)
    else:
        found.password_hash = old_hash
        notify("boxes", found.id)


def live(car: str) -> Box | None:
    found: Box | None = session.scalars(
        select(Box).where(Box.car_id == car, Box.removed_at.is_(None))
    ).first()
    return found


def find(car: str) -> Box:
    """Raises NotFound."""
    found = live(car)
    if found is None:
        raise NotFound("This car has no box.")
    return found


def wiring(box: Box) -> DoorWiring:
    """How this car's doors are opened. Raises Validation for wiring that cannot be."""
    config = box.config
    try:
        return DoorWiring(
            how=DoorHow(config.get("how", "native")),
            pin=unseal("pin", box.pin_sealed).decode() if box.pin_sealed else None,
            unlock=Pulse(**config["unlock"]) if config.get("unlock") else None,
            lock=Pulse(**config["lock"]) if config.get("lock") else None,
            key_sensor=_key_sensor(box),
            optimistic_lock=bool(config.get("optimistic_lock", False)),
        )
    except (TypeError, ValueError) as error:
        raise Validation(errors=[{"pointer": "/config", "code": "invalid", "detail": str(error)}]) from error


def _refuse_unusable(wired: DoorWiring) -> None:
    """Doors that no line could open are refused here, not at the first unlock. Raises Validation."""
    for kind in (CommandKind.UNLOCK, CommandKind.LOCK):
        try:
            command_line(Command(kind), wired)
        except BadCommand as error:
            raise Validation(
                errors=[{"pointer": "/config", "code": "invalid", "detail": f"{kind}: {error}"}]
            ) from error


def _key_sensor(box: Box) -> KeySensor | None:
    if not box.key_sensor:
        return None
    config = box.config.get("keys") or {}
    return KeySensor(port=config.get("port", 4), present_level=config.get("present_level", 1))


def wired(box: Box) -> Wired:
    """The box as the door wants it."""
    return Wired(BoxAddress(box.username, box.vehicle), wiring(box))


def credentials(box: Box, password: str) -> dict[str, Any]:
    """What the installer enters at the box's shell; shown once."""
    house = settings()
    lines = [
        f"config set vehicle id {box.vehicle}",
        f"config set server.v3 server {house.mqtt_public_host}",
        f"config set server.v3 port {house.mqtt_public_port}",
        f"config set server.v3 user {box.username}",
        f"config set password server.v3 {password}",
        f"config set server.v3 topic.prefix ovms/{box.username}/{box.vehicle}/",
        f"config set server.v3 updatetime.keepalive {KEEPALIVE_S}",
        "config set auto server.v3 yes",
    ]
    return {
        "username": box.username,
        "password": password,
        "vehicle": box.vehicle,
        "config_lines": lines,
        "qr": segno.make("\n".join(lines), error="l", micro=False).svg_data_uri(scale=3),
    }


def heard_within(box: Box | None, minutes: int) -> bool:
    """Whether anything came from the box lately, in business time."""
    if box is None or box.last_heard_at is None:
        return False
    return clock.now() - box.last_heard_at <= timedelta(minutes=minutes)


def accounts() -> dict[str, str]:
    """Every account the broker must know: username -> hash."""
    rows = session.execute(select(Box.username, Box.password_hash).where(Box.removed_at.is_(None))).all()
    return {row.username: row.password_hash for row in rows}


@transactional
def mark_loaded(hashes: dict[str, str]) -> None:
    """The broker took these accounts; whoever waits for one is woken."""
    rows = session.scalars(
        select(Box).where(Box.removed_at.is_(None), Box.loaded_at.is_(None)).with_for_update()
    )
    for box in rows:
        if hashes.get(box.username) == box.password_hash:
            box.loaded_at = clock.real_now()
            notify("command_settled", box.id)


def represent(box: Box) -> dict[str, Any]:
    return {
        "id": box.id,
        "kind": box.kind,
        "has_immobiliser": box.has_immobiliser,
        "key_sensor": box.key_sensor,
        "config": {**box.config, **({"pin": "****"} if box.pin_sealed else {})},
        "state": "heard" if box.last_heard_at else "provisioned",
        "last_heard_at": box.last_heard_at,
        "capabilities": [{"name": name, **value} for name, value in sorted(box.capabilities.items())],
    }
