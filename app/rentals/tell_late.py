"""The driver says when the car will be back: the one forecast there is, told to its owner and to whoever waits for it.

Nothing is guessed from where the car is: a time that moved with it would show the owner how far away it is (ADR 0056).
"""

from datetime import datetime, timedelta

from app.cars import occupancy, terms
from app.coverage import cover
from app.facts import LatenessTold
from app.kit import clock, facts
from app.kit.db import transactional
from app.kit.errors import StepNotAllowed, Validation
from app.rentals import access
from app.rentals.lifecycle import OUT, Role
from app.rentals.models import Rental

FURTHEST = timedelta(hours=24)
"""So long after the planned end, or after now, a time is still a forecast."""


@transactional
def tell_late(person: str, rental_id: str, back_at: datetime) -> Rental:
    """Say when the car will be back, before the planned end or after it; said anew, the last word counts.

    The tariff and the late fee stay as they are. Raises NotFound, NotAllowed, StepNotAllowed, Validation.
    """
    car, rental, _ = access.locked_as(rental_id, person, Role.DRIVER)
    now = clock.now()
    if rental.stands not in OUT:
        raise StepNotAllowed("Only who has the car says when it is back.", state=rental.state, steps=[])
    if not now < back_at <= max(now, rental.to_at) + FURTHEST:
        detail = "After now, at most a day after the planned end."
        raise Validation(errors=[{"pointer": "/back_at", "code": "invalid", "detail": detail}])
    rental.back_at = back_at
    if back_at > rental.to_at:
        cover.report_late(rental.id, now)
        occupancy.grow(car, rental.id, back_at, terms.buffer_of(rental.terms))
    facts.record(LatenessTold(rental=rental.id, back_at=back_at))
    return rental
