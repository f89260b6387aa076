"""Who is who in a charge request, and its row locked: after car and rental, before the payment."""

from sqlalchemy import select

from app.claims.charge_rules import FINAL, Kind
from app.claims.models import ChargeRequest
from app.kit.db import session
from app.kit.errors import NotFound
from app.rentals import access
from app.rentals.lifecycle import Role
from app.rentals.models import Rental


def role_of(row: ChargeRequest, person: str) -> Role:
    """Driver or owner of its rental; for others it does not exist. Raises NotFound."""
    role = access.role_of(session.get_one(Rental, row.rental_id), person)
    if role is None:
        raise NotFound
    return role


def may_see(charge_request: str, person: str) -> ChargeRequest:
    """Raises NotFound."""
    found = session.get(ChargeRequest, charge_request)
    if found is None:
        raise NotFound
    role_of(found, person)
    return found


def lock(charge_request: str) -> ChargeRequest:
    """The row, locked. Raises NotFound."""
    found = session.get(ChargeRequest, charge_request, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def lock_as(charge_request: str, person: str) -> tuple[ChargeRequest, Role]:
    """The row, locked, and the caller's part in it. Raises NotFound."""
    found = lock(charge_request)
    return found, role_of(found, person)


def of_rental(rental: str) -> list[ChargeRequest]:
    """All of a rental, oldest first."""
    found = select(ChargeRequest).where(ChargeRequest.rental_id == rental).order_by(ChargeRequest.id)
    return list(session.scalars(found))


def damage_is_heard(rental: str) -> bool:
    """Whether a charge request for damage of the rental is open, from the asking to its close."""
    over = [state.value for state in FINAL]
    found = select(ChargeRequest.id).where(
        ChargeRequest.rental_id == rental,
        ChargeRequest.kind == Kind.DAMAGE.value,
        ChargeRequest.state.not_in(over),
    )
    return session.scalars(found.limit(1)).first() is not None
