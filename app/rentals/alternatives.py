"""Another car of the community for the same span, when the one booked is late, missing or not ready."""

from typing import Any

from app.cars import find
from app.kit.errors import NotAllowed
from app.rentals import access
from app.rentals.lifecycle import Role
from app.rentals.models import Rental


def of(
    rental_id: str, person: str, *, limit: int, cursor: str | None
) -> tuple[list[Any], Rental, str | None]:
    """Rows of free cars for the rental's span, without its own; the rental; the next page. Raises NotFound, NotAllowed."""
    rental = access.may_see(rental_id, person)
    if access.role_of(rental, person) is not Role.DRIVER:
        raise NotAllowed("Only the driver looks for another car.")
    query = {
        "free_from": rental.from_at,
        "free_to": rental.to_at,
        "community": rental.community_id,
        "limit": limit,
        "cursor": cursor,
    }
    rows, following = find.find(person, query)
    return [row for row in rows if f"car_{row.id.hex}" != rental.car_id], rental, following
