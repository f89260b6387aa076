"""HTTP of operators: legal holds, and who an erased account was."""

from typing import Any

from app.kit.errors import AlreadyExists
from app.operator import hold, schemas
from app.operator.hold_schemas import IdentityOut
from app.operator.routes import PERSON, change, why


@change(
    f"/people/{PERSON}/hold",
    "Keep who somebody is, for the reason given",
    schemas.OperatorReason,
    IdentityOut,
    AlreadyExists,
)
def hold_person(person: str, body: dict[str, Any]) -> dict[str, Any]:
    """Erasing the account then keeps the identity sealed until the hold is lifted. Both are in the access log."""
    hold.place(person, **why(body))
    return hold.standing(person)


@change(f"/people/{PERSON}/lift-hold", "Lift a legal hold", schemas.OperatorReason, IdentityOut)
def lift_hold(person: str, body: dict[str, Any]) -> dict[str, Any]:
    """What was kept for this alone is forgotten within the hour."""
    hold.lift(person, **why(body))
    return hold.standing(person)


@change(f"/people/{PERSON}/identity", "Who somebody is, erased or not", schemas.OperatorReason, IdentityOut)
def read_identity(person: str, body: dict[str, Any]) -> dict[str, Any]:
    """For an authority or a court; who asked and why is kept."""
    return hold.look(person, **why(body))
