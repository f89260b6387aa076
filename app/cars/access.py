"""Who may see a car, who runs it, who may book it: the one place that answers it."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import bindparam, select, text

from app.cars.models import Car, CarShare
from app.communities import access as circles
from app.communities.models import Membership
from app.kit import clock
from app.kit.db import PublicId, session
from app.kit.errors import NotAllowed, NotFound

_LOCKED = (
    select(Car)
    .where(Car.id == bindparam("car", type_=PublicId("car")))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def of(car: str, *, lock: bool = False) -> Car:
    """The car row, locked first of all rows when something changes. Raises NotFound."""
    found: Car | None
    if lock:
        found = session.scalars(_LOCKED, {"car": car}).first()
        clock.forget()
    else:
        found = session.get(Car, car)
    if found is None or found.removed_at is not None:
        raise NotFound
    return found


def runs(car: Car, person: str) -> bool:
    """The owner, or who runs the community that owns the car."""
    if car.owner_id is not None:
        return car.owner_id == person
    assert car.community_id is not None
    mine = circles.membership(car.community_id, person)
    return mine is not None and circles.runs(mine)


def communities(car: Car) -> list[str]:
    """Where the car is shared, its own community included."""
    shared = session.scalars(
        select(CarShare.community_id).where(CarShare.car_id == car.id, CarShare.ended_at.is_(None))
    )
    return [*([car.community_id] if car.community_id else []), *shared]


_OWNING = Membership.community_id == bindparam("owning", type_=PublicId("com"))
_SHARED = select(CarShare.community_id).where(
    CarShare.car_id == bindparam("car", type_=PublicId("car")), CarShare.ended_at.is_(None)
)
FARE_ORDER = f"array_position(array{list(circles.FARES)}, {{fare}})"
"""The best fare first, in a statement."""
_ASKED = bindparam("community", type_=PublicId("com"))
_EACH = {
    share_lock: circles.memberships(share_lock=share_lock)
    .where(
        Membership.community_id.in_(_SHARED) | _OWNING,
        Membership.blocked.is_(False),
        (Membership.community_id == _ASKED) | _ASKED.is_(None),
    )
    .order_by(_OWNING.desc().nulls_last(), text(FARE_ORDER.format(fare="memberships.fare")), Membership.id)
    for share_lock in (False, True)
}
THROUGH = {share_lock: each.limit(1) for share_lock, each in _EACH.items()}
"""The live membership through which a person sees a car, the best fare first; by whether it is kept until the transaction
ends.
"""


def through(car: Car, person: str, community: str | None) -> dict[str, str | None]:
    """The parameters of THROUGH."""
    return {"person": person, "car": car.id, "owning": car.community_id, "community": community}


def my_membership(
    car: Car, person: str, community: str | None = None, *, share_lock: bool = False
) -> Membership | None:
    """A live membership through which the person sees the car; `share_lock` keeps it until the transaction ends."""
    found: Membership | None = session.scalars(THROUGH[share_lock], through(car, person, community)).first()
    return found


def my_memberships(car: Car, person: str, community: str | None = None) -> list[Membership]:
    """All of those, the best first."""
    return list(session.scalars(_EACH[False], through(car, person, community)))


def may_run(car: str, person: str, *, lock: bool = False) -> Car:
    """Owners (and managers of the owning community). Raises NotFound, NotAllowed."""
    found = of(car, lock=lock)
    if runs(found, person):
        return found
    if my_membership(found, person) is None:
        raise NotFound
    raise NotAllowed("Only the owner of the car may do that.")


def may_see(car: str, person: str) -> Car:
    """The owner, and members of a community it is shared with. Raises NotFound."""
    found = of(car)
    if not runs(found, person) and my_membership(found, person) is None:
        raise NotFound
    return found


MINE = """
  select m.id as membership, m.community_id, m.fare, m.role, c.rules
  from memberships m join communities c on c.id = m.community_id
  where m.person_id = :person and m.ended_at is null and not m.blocked and c.ended_at is null
"""
"""The memberships through which the person sees cars."""

SEEN = """
  select c.no, exists (select 1 from mine where mine.community_id = c.community_id and mine.role in ('owner', 'manager'))
    or c.owner_id is not distinct from :person as runs
  from cars c where c.id = :car and c.removed_at is null and (c.owner_id = :person
    or exists (select 1 from mine where mine.community_id = c.community_id)
    or exists (select 1 from car_shares s join mine on mine.community_id = s.community_id
      where s.car_id = c.id and s.ended_at is null))
"""
"""`may_see` and `runs` for hot reads: the car's number and whether the person runs it, or no row; with MINE before it."""


def runners(car: Car) -> list[str]:
    """The people who are told as owner."""
    if car.owner_id is not None:
        return [car.owner_id]
    assert car.community_id is not None
    return circles.runners(car.community_id)


REVEALED_TO: list[Callable[[str, str], bool]] = []
"""Who knows whether a driver may see plate, VIN and exact place now; the factory fills it."""

REVEALED_FROM: list[Callable[[str, str], datetime | None]] = []
"""Who knows from when on; None where nothing is booked."""


def revealed(car: Car, person: str) -> bool:
    """Plate, VIN and exact place: to the owner, and to the driver from an hour before the start to the lock."""
    return runs(car, person) or any(ask(car.id, person) for ask in REVEALED_TO)
