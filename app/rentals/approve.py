"""Approve, decline or withdraw a request."""

from app.cars import occupancy
from app.facts import RentalDeclined, RentalWithdrawn
from app.kit import deadlines, facts
from app.kit.clock import now
from app.kit.db import transactional
from app.rentals import access, book, lifecycle
from app.rentals.lifecycle import Role, Step
from app.rentals.models import Rental


@transactional
def approve(person: str, rental_id: str) -> Rental:
    """The owner agrees: booked. Raises NotFound, NotAllowed, StepNotAllowed."""
    car, rental, role = access.locked_as(rental_id, person, Role.OWNER, Role.DRIVER)
    lifecycle.after(rental.stands, Step.APPROVE, role)
    book.confirm(car, rental, approved_by=person, on_session=False)
    return rental


@transactional
def decline(person: str, rental_id: str) -> Rental:
    """The owner does not agree: the slot is free again."""
    rental = _end(person, rental_id, Step.DECLINE)
    facts.record(RentalDeclined(rental=rental.id, by=person))
    return rental


@transactional
def withdraw(person: str, rental_id: str) -> Rental:
    """The driver takes the request back."""
    rental = _end(person, rental_id, Step.WITHDRAW)
    facts.record(RentalWithdrawn(rental=rental.id))
    return rental


def _end(person: str, rental_id: str, step: Step) -> Rental:
    _, rental, role = access.locked_as(rental_id, person, Role.OWNER, Role.DRIVER)
    rental.state = lifecycle.after(rental.stands, step, role).value
    rental.over_at = now()
    occupancy.vacate(rental.id)
    deadlines.drop(rental.id)
    return rental
