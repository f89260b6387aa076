"""The car's box: pair it, rotate its password, take it out; what its wiring is and when it was last heard."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import segno
from flask import current_app
from sqlalchemy import Row, and_, bindparam, select

from app.cars import access, capabilities, companion
from app.cars.models import Box, Car
from app.facts import BoxPaired, BoxRemoved
from app.kit import clock, facts, idempotency
from app.kit.db import PublicId, end_reading, new_id, notify, session, transactional
from app.kit.errors import IdempotencyBusy, InUse, NotFound, Unavailable, Validation
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
def put(
    person: str, car_id: str, body: dict[str, Any], check: Callable[[Box], None] | None = None
) -> tuple[Box, str]:
    """Pair a box; returns the row and its password, shown once.

    Raises InUse, AlreadyExists, Validation, and what `check` of the old box does.
    A box that the car has already stays in service until the broker knows the new one.
    """
    car = access.may_run(car_id, person, lock=True)
    old = live(car.id)
    if old is not None and check is not None:
        check(old)
    _refuse_in_use(car)
    _drop_pending(car.id)
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
        replaces_id=old.id if old is not None else None,
    )
    _refuse_unusable(wiring(box))
    session.add(box)
    session.flush()
    companion.pair(box, body.get("companion"))
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
    _drop_pending(car.id)
    _cut(box)


def _drop_pending(car: str) -> None:
    """A box that was to replace another and whose account the broker never took."""
    pending = session.scalars(
        select(Box).where(Box.car_id == car, Box.removed_at.is_(None), Box.replaces_id.is_not(None))
    ).first()
    if pending is not None:
        _cut(pending)


def _cut(box: Box) -> None:
    box.removed_at = clock.now()
    session.flush()
    facts.record(BoxRemoved(car=box.car_id, box=box.id))
    notify("boxes", box.id)


def _used_by(car: Car) -> list[str]:
    return [what for ask in OPEN_COMMANDS for what in ask(car.id)]


def _refuse_in_use(car: Car) -> None:
    used_by = _used_by(car)
    if used_by:
        raise InUse("The car is lent, or a command to its box is open.", by=used_by)


def wait_loaded(box: str, old_hash: str | None, scope: str) -> None:
    """Until boxlink has loaded the account into the broker, at most 20 s; else all is as before: Unavailable.

    `scope` is whose Idempotency-Key it was asked under: the answer kept for it is forgotten too.
    """
    waiting = current_app.extensions["glovebox"].commands
    waiting.until(box, lambda: not _waits(box), LOADED_WITHIN_S)
    if not _stands(box, old_hash, scope):
        raise Unavailable("The broker did not take the account in time; nothing was kept. Try again.")


def _waits(box: str) -> bool:
    """Neither loaded nor dropped."""
    found = session.execute(
        select(Box.id).where(Box.id == box, Box.loaded_at.is_(None), Box.removed_at.is_(None))
    ).first()
    end_reading()
    return found is not None


def refuse_while_waiting(box: str) -> None:
    """A repeat of a request whose outcome is still open has no answer yet. Raises IdempotencyBusy."""
    if _waits(box):
        raise IdempotencyBusy("The same request is still running; ask again in a moment.")


@transactional
def _stands(box: str, old_hash: str | None, scope: str) -> bool:
    """Whether the account is loaded. If not, a new box is dropped, and a rotated one keeps the password it had."""
    found = session.get(Box, box, with_for_update=True)
    if found is not None and found.loaded_at is not None and found.removed_at is None:
        return True
    idempotency.forget(scope)
    if found is None or found.removed_at is not None:
        return False
    if old_hash is None:
        _cut(found)
    else:
        found.password_hash = old_hash
        notify("boxes", found.id)
    return False


IN_SERVICE = and_(Box.removed_at.is_(None), Box.replaces_id.is_(None))
_LIVE = select(Box).where(Box.car_id == bindparam("car", type_=PublicId("car")), IN_SERVICE)


def live(car: str) -> Box | None:
    """The box in service."""
    found: Box | None = session.scalars(_LIVE, {"car": car}).first()
    return found


def find(car: str) -> Box:
    """Raises NotFound."""
    found = live(car)
    if found is None:
        raise NotFound("This car has no box.")
    return found


def wiring(box: Box | Row[Any]) -> DoorWiring:
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


def _key_sensor(box: Box | Row[Any]) -> KeySensor | None:
    if not box.key_sensor:
        return None
    config = box.config.get("keys") or {}
    return KeySensor(port=config.get("port", 4), present_level=config.get("present_level", 1))


def wired(box: Box | Row[Any]) -> Wired:
    """The box, or the columns that say so, as the door wants it."""
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


def mark_loaded(hashes: dict[str, str]) -> None:
    """The broker took these accounts; whoever waits for one is woken."""
    rows = session.execute(
        select(Box.id, Box.car_id).where(Box.removed_at.is_(None), Box.loaded_at.is_(None))
    ).all()
    for box, car in rows:
        _mark_loaded(box, car, hashes)


@transactional
def _mark_loaded(box_id: str, car_id: str, hashes: dict[str, str]) -> None:
    """Now, and not before, the box that it replaces is cut; not under a rental that has begun meanwhile."""
    car = session.get_one(Car, car_id, with_for_update=True)
    box = session.get_one(Box, box_id, with_for_update=True)
    if box.removed_at is not None or hashes.get(box.username) != box.password_hash:
        return
    notify("command_settled", box.id)
    if box.replaces_id is not None:
        if _used_by(car):
            _cut(box)
            return
        old = live(car.id)
        if old is not None:
            _cut(old)
        box.replaces_id = None
    box.loaded_at = clock.real_now()


def represent(box: Box) -> dict[str, Any]:
    return {
        "id": box.id,
        "kind": box.kind,
        "has_immobiliser": box.has_immobiliser,
        "key_sensor": box.key_sensor,
        "config": {**box.config, **({"pin": "****"} if box.pin_sealed else {})},
        "state": "heard" if box.last_heard_at else "provisioned",
        "last_heard_at": box.last_heard_at,
        "capabilities": dict(sorted(box.capabilities.items())),
        "unseen": capabilities.unseen(box.capabilities),
        **companion.shown(box),
    }
