"""The rules of photos, pure: what is photographed, who may add one when, what a community asks for."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from app.kit.errors import NotAllowed, StepNotAllowed
from app.rentals.lifecycle import Role, State


class At(StrEnum):
    """The step a photo belongs to: before the unlock, at or after the lock, or any damage seen meanwhile or afterwards."""

    UNLOCK = "unlock"
    LOCK = "lock"
    DAMAGE = "damage"


class Angle(StrEnum):
    FRONT = "front"
    BACK = "back"
    LEFT = "left"
    RIGHT = "right"
    INTERIOR = "interior"
    DASHBOARD = "dashboard"
    DAMAGE = "damage"


ROUND = (Angle.FRONT, Angle.BACK, Angle.LEFT, Angle.RIGHT)
"""Once round the car: what a community's rule asks for."""
ASKS = {At.UNLOCK: ("start", "both"), At.LOCK: ("end", "both")}
"""The values of the community's rule `photos` by which a step asks for them."""
ONCE = {At.UNLOCK: (At.UNLOCK, At.LOCK), At.LOCK: (At.UNLOCK, At.LOCK), At.DAMAGE: (At.DAMAGE,)}
"""The steps in which one picture is one photo: it shows one side at one time. What shows damage may be a side as well."""
EARLY = timedelta(hours=1)
LATE = {At.LOCK: timedelta(hours=24), At.DAMAGE: timedelta(days=365)}
"""How long after the end: as long as a fine may be asked for, by whatever is seen of the car."""
PER_RENTAL = 60
"""Photos of one side."""

_OVER = frozenset({State.ENDED, State.SETTLED})
_ROLES = {At.UNLOCK: {Role.DRIVER}, At.LOCK: {Role.DRIVER}, At.DAMAGE: {Role.DRIVER, Role.OWNER}}
_STATES = {
    At.UNLOCK: frozenset({State.BOOKED, State.UNLOCKING}),
    At.LOCK: frozenset({State.ACTIVE, State.LOCKING}) | _OVER,
    At.DAMAGE: frozenset({State.UNLOCKING, State.ACTIVE, State.LOCKING}) | _OVER,
}


def require(
    at: At, role: Role, state: State, *, from_at: datetime, ended_at: datetime | None, now: datetime
) -> None:
    """Whether a photo may be added now. Raises NotAllowed for the wrong side, StepNotAllowed for the wrong time."""
    if role not in _ROLES[at]:
        raise NotAllowed("Only the driver takes the photos of unlock and lock.", role=role.value)
    if state not in _STATES[at]:
        raise StepNotAllowed(f"No photo of {at} while the rental is {state}.", state=state.value, steps=[])
    if at is At.UNLOCK and now < from_at - EARLY:
        raise StepNotAllowed(
            "Photos before the unlock: from an hour before the start.", state=state.value, steps=[]
        )
    if ended_at is not None and now >= ended_at + LATE.get(at, timedelta(0)):
        raise StepNotAllowed(f"It is too late for a photo of {at}.", state=state.value, steps=[])


def missing(at: At, rule: str, there: Collection[str]) -> list[Angle]:
    """What a community's rule asks for at a step and is not there."""
    if rule not in ASKS[at]:
        return []
    return [angle for angle in ROUND if angle.value not in there]
