"""The car's box: pair it, take it out; its accounts at the broker, its wiring, and when it was last heard."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from app.cars import access, capabilities, companion
from app.cars.models import Box, Car
from app.facts import BoxPaired, BoxRemoved
from app.kit import clock, facts
from app.kit.db import PublicId, new_id, notify, session, transactional
from app.kit.errors import InUse, NotFound, Validation
from app.kit.keys import seal, unseal
from carbox.box import BadCommand, BoxAddress, Command, CommandKind, DoorHow, DoorWiring, KeySensor, Pulse
from carbox.box import Box as Wired
from carbox.broker_accounts import new_password, password_hash
from carbox.ovms_commands import command_line

OPEN_COMMANDS: list[Callable[[str], list[str]]] = []
"""Who knows what still needs the box of a car; the factory fills it."""
GRANTS_OUT: list[Callable[[str], list[str]]] = []
"""Who knows what was given out that only this very box can be told is dead; the factory fills it."""


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
    _refuse_parting(car)
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
def remove(person: str, car_id: str) -> None:
    """Take the box out; it is cut off. Raises NotFound, InUse."""
    car = access.may_run(car_id, person, lock=True)
    require_any(car.id)
    _refuse_parting(car)
    cut(car)


def cut(car: Car) -> None:
    """Every account of the car dies, its connection too, whatever is under way: who calls has looked."""
    _drop_pending(car.id)
    box = live(car.id)
    if box is not None:
        take_out(box)


def _drop_pending(car: str) -> None:
    """A box that was to replace another and whose account the broker never took."""
    pending = session.scalars(
        select(Box).where(Box.car_id == car, Box.removed_at.is_(None), Box.replaces_id.is_not(None))
    ).first()
    if pending is not None:
        take_out(pending)


def take_out(box: Box) -> None:
    """The row stays for the log; boxlink sees that the broker forgets it."""
    box.removed_at = clock.now()
    session.flush()
    facts.record(BoxRemoved(car=box.car_id, box=box.id))
    notify("boxes", box.id)


def refuse_in_use(car: Car) -> None:
    """Raises InUse while the car is lent, or a command to its box is open."""
    used_by = [what for ask in OPEN_COMMANDS for what in ask(car.id)]
    if used_by:
        raise InUse("The car is lent, or a command to its box is open.", by=used_by)


def _bound_by(car: Car) -> list[str]:
    return [what for ask in (*OPEN_COMMANDS, *GRANTS_OUT) for what in ask(car.id)]


def _refuse_parting(car: Car) -> None:
    """Raises InUse while car and box must stay together."""
    bound_by = _bound_by(car)
    if bound_by:
        raise InUse("The car is lent, a command to its box is open, or a grant for it is out.", by=bound_by)


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


def require_any(car: str) -> None:
    """A box in service, or one taken out that the broker still knows, so that a cut may be asked again. Raises NotFound."""
    if live(car) is None and not being_cut(car):
        raise NotFound("This car has no box.")


def being_cut(car: str) -> bool:
    """Whether the broker has yet to let go of a box that was taken out."""
    waiting = select(Box.id).where(Box.car_id == car, Box.removed_at.is_not(None), Box.cut_at.is_(None))
    return session.execute(waiting.limit(1)).first() is not None


def newest(box: Box) -> str:
    """The account that was made last."""
    return box.next_username or box.username


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


def heard_within(box: Box | None, minutes: int) -> bool:
    """Whether anything came from the box lately, in business time."""
    if box is None or box.last_heard_at is None:
        return False
    return clock.now() - box.last_heard_at <= timedelta(minutes=minutes)


def accounts() -> dict[str, str]:
    """Every account the broker must know: username -> hash."""
    rows = session.execute(
        select(Box.username, Box.password_hash, Box.next_username, Box.next_password_hash).where(
            Box.removed_at.is_(None)
        )
    ).all()
    found = {row.username: row.password_hash for row in rows}
    return found | {row.next_username: row.next_password_hash for row in rows if row.next_username}


_UNSETTLED = (Box.removed_at.is_(None) & Box.loaded_at.is_(None)) | (
    Box.removed_at.is_not(None) & Box.cut_at.is_(None)
)


def unsettled() -> bool:
    """Whether an account waits for the broker to take it, or to let go of it."""
    return session.execute(select(Box.id).where(_UNSETTLED).limit(1)).first() is not None


def mark_loaded(hashes: dict[str, str]) -> None:
    """The broker knows these accounts and no others; whoever waits for that is woken."""
    rows = session.execute(select(Box.id, Box.car_id, Box.removed_at).where(_UNSETTLED)).all()
    for box, car, removed_at in rows:
        if removed_at is None:
            _mark_loaded(box, car, hashes)
        else:
            _mark_cut(box, hashes)


@transactional
def _mark_cut(box_id: str, hashes: dict[str, str]) -> None:
    box = session.get_one(Box, box_id, with_for_update=True)
    if not hashes.keys() & {box.username, box.next_username}:
        box.cut_at = clock.real_now()
        notify("command_settled", box.car_id)


@transactional
def _mark_loaded(box_id: str, car_id: str, hashes: dict[str, str]) -> None:
    """Now, and not before, the box that it replaces is cut; not under a rental that has begun meanwhile."""
    car = session.get_one(Car, car_id, with_for_update=True)
    box = session.get_one(Box, box_id, with_for_update=True)
    known = hashes.get(newest(box))
    if box.removed_at is not None or known != (box.next_password_hash or box.password_hash):
        return
    notify("command_settled", box.id)
    if box.replaces_id is not None:
        if _bound_by(car):
            take_out(box)
            return
        old = live(car.id)
        if old is not None:
            take_out(old)
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
        "next_username": box.next_username,
        "last_heard_at": box.last_heard_at,
        "capabilities": dict(sorted(box.capabilities.items())),
        "unseen": capabilities.unseen(box.capabilities),
        **companion.shown(box),
    }
