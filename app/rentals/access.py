"""Who is who in a rental, and its rows locked in the one order: car, rental, then what readiness reads."""

from sqlalchemy import bindparam, select

from app.cars import access as cars
from app.cars.models import Car
from app.communities import access as circles
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotAllowed, NotFound
from app.people.models import Person
from app.rentals.lifecycle import OUT, Role, State
from app.rentals.models import Rental


def role_of(rental: Rental, person: str) -> Role | None:
    """Driver, owner (or manager of the car), or nobody."""
    if rental.driver_id == person:
        return Role.DRIVER
    car = session.get(Car, rental.car_id)
    return Role.OWNER if car is not None and cars.runs(car, person) else None


def may_see(rental_id: str, person: str) -> Rental:
    """Driver and owner; for others it does not exist."""
    found = session.get(Rental, rental_id)
    if found is None or role_of(found, person) is None:
        raise NotFound
    return found


_LOCKED = (
    select(Car, Rental)
    .join(Rental, Rental.car_id == Car.id)
    .where(Rental.id == bindparam("rental"))
    .with_for_update(of=[Car, Rental])
    .execution_options(populate_existing=True)
)


def locked(rental_id: str) -> tuple[Car, Rental]:
    """Car and rental in one look, locked in this order. Raises NotFound.

    PostgreSQL locks in the order of OF, each row as it is once the one before it is held.
    """
    row = session.execute(_LOCKED, {"rental": rental_id}).first()
    if row is None:
        raise NotFound
    clock.forget()
    return row.Car, row.Rental


def locked_as(rental_id: str, person: str, *roles: Role) -> tuple[Car, Rental, Role]:
    """Locked, and the caller's role, which must be one of `roles`. Raises NotFound, NotAllowed."""
    car, rental = locked(rental_id)
    role = role_of(rental, person)
    if role is None:
        raise NotFound
    if role not in roles:
        raise NotAllowed(f"Only the {' or '.join(roles)} may do that.", role=role.value)
    return car, rental, role


def may_book_on(rental: Rental, person: str | None = None, *, share_lock: bool = False) -> bool:
    """Whether its driver, or the person, may still book where it was booked: a member there, neither blocked nor suspended.

    `share_lock` keeps the membership as it is until the transaction ends.
    """
    person = person or rental.driver_id
    mine = circles.membership(rental.community_id, person, share_lock=share_lock)
    account = session.get(Person, person)
    member = mine is not None and not mine.blocked
    return member and account is not None and account.suspended_at is None


def require_may_book_on(rental: Rental) -> None:
    """What its driver asks for is as good as a booking. Raises NotAllowed."""
    if not may_book_on(rental, share_lock=True):
        raise NotAllowed(
            "You may not book in this community any more: the rental runs to the lock and is not extended."
        )


def out_of_car(car_no: int) -> Rental | None:
    """The rental whose driver has, or may have, the car."""
    found: Rental | None = session.scalars(
        select(Rental).where(Rental.car_no == car_no, Rental.state.in_([state.value for state in OUT]))
    ).first()
    return found


def drives(person: str) -> bool:
    """Whether the person has, or may have, a car out."""
    out = select(Rental.id).where(
        Rental.driver_id == person, Rental.state.in_([state.value for state in OUT])
    )
    return session.execute(out.limit(1)).first() is not None


def open_of_car(car_id: str, community: str | None) -> list[str]:
    """Rentals that are not over, for what must not be removed under them."""
    live = [State.REQUESTED, State.BOOKED, *OUT]
    statement = select(Rental.id).where(
        Rental.car_id == car_id, Rental.state.in_([state.value for state in live])
    )
    if community is not None:
        statement = statement.where(Rental.community_id == community)
    return [f"rental {one}" for one in session.scalars(statement)]
