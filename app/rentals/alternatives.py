"""Another car of the community for the same span, when the one booked is late, missing or not ready."""

from typing import Any

from app.cars import find
from app.kit.errors import NotAllowed
from app.rentals import access
from app.rentals.lifecycle import Role


def of(rental_id: str, person: str) -> tuple[list[Any], Any]:
    """Rows of free cars for the rental's span, without its own; the rental. Raises NotFound, NotAllowed."""
    rental = access.may_see(rental_id, person)
    if access.role_of(rental, person) is not Role.DRIVER:
        raise NotAllowed("Only the driver looks for another car.")
    query = {
        "free_from": rental.from_at,
        "free_to": rental.to_at,
        "community": rental.community_id,
        "limit": 20,
    }
    rows, _ = find.find(person, query)
    return [row for row in rows if f"car_{row.id.hex}" != rental.car_id], rental
