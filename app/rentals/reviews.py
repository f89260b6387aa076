"""What driver and owner say of each other, in two weeks after the end; neither reads the other's before both have."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.facts import ReviewsOpened
from app.kit import clock, deadlines, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, StepNotAllowed
from app.rentals import access
from app.rentals.lifecycle import Role, State
from app.rentals.models import Rental
from app.rentals.word_models import REV, Review

WITHIN = timedelta(days=14)


@transactional
def write(person: str, rental_id: str, stars: int, text: str | None) -> Review:
    """Say it, once and for good. Raises NotFound, StepNotAllowed before the end and two weeks after, AlreadyExists."""
    _, rental, role = access.locked_as(rental_id, person, Role.DRIVER, Role.OWNER)
    now = clock.now()
    if rental.stands not in (State.ENDED, State.SETTLED) or now > _until(rental):
        raise StepNotAllowed("Reviews are written within two weeks of the end.", state=rental.state, steps=[])
    written = _of(rental_id)
    if role.value in {one.side for one in written}:
        raise AlreadyExists("You have written yours.")
    made = Review(
        id=new_id(REV),
        rental_id=rental_id,
        side=role.value,
        by_id=person,
        stars=stars,
        text=text,
        made_at=now,
    )
    session.add(made)
    session.flush()
    if written:
        _open(rental_id, now)
    else:
        deadlines.at("reviews", rental_id, _until(rental))
    return made


@transactional
def due(rental_id: str) -> None:
    """The two weeks are over: what was written is read, though the other side wrote nothing."""
    access.locked(rental_id)
    _open(rental_id, clock.now())


def _open(rental_id: str, now: datetime) -> None:
    closed = [one for one in _of(rental_id) if one.opened_at is None]
    for one in closed:
        one.opened_at = now
    if closed:
        deadlines.drop(rental_id, "reviews")
        facts.record(ReviewsOpened(rental=rental_id, sides=" ".join(sorted(one.side for one in closed))))


def _until(rental: Rental) -> datetime:
    assert rental.ended_at is not None
    return rental.ended_at + WITHIN


def _of(rental_id: str) -> list[Review]:
    return list(session.scalars(select(Review).where(Review.rental_id == rental_id).order_by(Review.id)))


def seen_by(person: str, rental_id: str) -> list[Review]:
    """One's own, and the other's once they are open. Raises NotFound."""
    rental = access.may_see(rental_id, person)
    mine = "driver" if person == rental.driver_id else "owner"
    return [one for one in _of(rental_id) if one.opened_at is not None or one.side == mine]
