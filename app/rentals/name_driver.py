"""Who booked names others who may drive during the rental, and takes them off; who is named may go by themselves.

They are insured beside who booked, who opens the car, has it in custody and brings it back.
"""

from sqlalchemy import select

from app.cars import access as cars
from app.cars.models import Car
from app.communities import access as circles
from app.coverage import name_driver, named_drivers
from app.coverage.driver_models import NamedDriver
from app.facts import MemberRemoved, MembershipChanged, PersonSuspended
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.errors import AlreadyExists, NotAllowed, NotFound, OwnCar, StepNotAllowed
from app.people.models import Person
from app.rentals import access, grants_out
from app.rentals.lifecycle import OUT, Role, State
from app.rentals.models import Rental

AHEAD = (State.REQUESTED, State.BOOKED)


@transactional
def name(by: str, rental_id: str, person: str) -> None:
    """Name a member; naming the same again changes nothing.

    Raises NotFound, NotAllowed, StepNotAllowed, AlreadyExists, OwnCar, NotInsurable.
    """
    car, rental, _ = access.locked_as(rental_id, by, Role.DRIVER)
    _refuse_over(rental)
    if person == rental.driver_id:
        raise AlreadyExists("Who booked drives as it is.")
    _may_drive(car, rental, person)
    name_driver.name(grants_out.trip(car, rental), person, by=by, at=clock.now())


@transactional
def take_off(by: str, rental_id: str, person: str) -> None:
    """Take somebody off, or oneself. Raises NotFound, NotAllowed, StepNotAllowed."""
    _, rental = access.locked(rental_id)
    row = named_drivers.find(rental.id, person)
    role = access.role_of(rental, by)
    if role is None and (row is None or by != person):
        raise NotFound
    if role is not Role.DRIVER and by != person:
        raise NotAllowed("Only who booked may do that.")
    if row is None:
        raise NotFound
    _refuse_over(rental)
    name_driver.take_off(row, by=by, at=clock.now())


def may_see(rental_id: str, person: str) -> Rental:
    """Who drives is known to who booked, the owner and everybody who is named. Raises NotFound."""
    found = session.get(Rental, rental_id)
    if found is None:
        raise NotFound
    if access.role_of(found, person) is None and named_drivers.find(found.id, person) is None:
        raise NotFound
    return found


def _refuse_over(rental: Rental) -> None:
    if rental.stands not in (*AHEAD, *OUT):
        raise StepNotAllowed(
            f"A rental that is {rental.state} has its drivers.", state=rental.state, steps=[]
        )


def _may_drive(car: Car, rental: Rental, person: str) -> None:
    """A member of the community through which the car is lent, who might book it there."""
    membership = circles.membership(rental.community_id, person, share_lock=True)
    if membership is None:
        raise NotFound("Nobody of this community.")
    if car.owner_id == person:
        raise OwnCar("The owner's own driving is not insured by a rental.")
    suspended = session.get_one(Person, person).suspended_at is not None
    if suspended or cars.my_membership(car, person, rental.community_id) is None:
        raise NotAllowed("This member may not drive the car.")


@transactional
def take_off_former_member(fact: MemberRemoved | MembershipChanged | PersonSuspended) -> None:
    """Who left, is blocked or suspended drives in no rental that has not begun; one that is out runs on as it is. Where who
    has come back was named since, they stay.
    """
    ended = circles.over_before(fact.community, fact.person) if isinstance(fact, MemberRemoved) else None
    theirs = [
        NamedDriver.person_id == fact.person,
        NamedDriver.taken_off_at.is_(None),
        Rental.state.in_([state.value for state in AHEAD]),
    ]
    if not isinstance(fact, PersonSuspended):
        theirs.append(Rental.community_id == fact.community)
    rows = select(NamedDriver.rental_id).join(Rental, Rental.id == NamedDriver.rental_id).where(*theirs)
    for rental_id in sorted(session.scalars(rows)):
        _, rental = access.locked(rental_id)
        row = named_drivers.find(rental_id, fact.person)
        if row is None or rental.stands not in AHEAD:
            continue
        if (ended and row.named_at < ended) or not access.may_book_on(rental, fact.person):
            reasons = [name_driver.NO_MEMBER]
            name_driver.take_off(row, by=name_driver.SYSTEM, at=clock.now(), reasons=reasons)


def drives_now(person: str) -> list[str]:
    """Rentals that are out and in which the person is named."""
    out = (
        select(Rental.id)
        .join(NamedDriver, NamedDriver.rental_id == Rental.id)
        .where(
            NamedDriver.person_id == person,
            NamedDriver.taken_off_at.is_(None),
            Rental.state.in_([state.value for state in OUT]),
        )
    )
    return list(session.scalars(out))
