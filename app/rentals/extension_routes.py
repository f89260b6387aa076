"""HTTP of a later end: asked, agreed to, declined."""

from typing import Any

from app.kit import prefer
from app.kit.auth import caller
from app.kit.errors import (
    CardDeclined,
    CarTaken,
    NotFound,
    NotInsurable,
    OutsideWindows,
    PaymentActionRequired,
    QuoteExpired,
)
from app.kit.http import Answer
from app.rentals import (
    extend,
    schemas,
)
from app.rentals.routes import ONE, STEP, after_booking, routes, show


@routes.add(
    "POST",
    ONE + "/extend",
    summary="Ask for a later end",
    body=schemas.ExtendIn,
    returns=schemas.Rental,
    also=(202,),
    key=True,
    asks=("Prefer",),
    after=after_booking,
    problems=(
        *STEP,
        NotFound,
        QuoteExpired,
        OutsideWindows,
        CarTaken,
        NotInsurable,
        CardDeclined,
        PaymentActionRequired,
    ),
)
def extend_rental(rental: str, body: dict[str, Any]) -> Answer:
    """Asks for a later end with a quote for it; 202 while the owner is asked, or the difference is being held. With
    `Prefer: wait` the answer tells how that went. Who may not book in the community any more (left, removed, blocked)
    brings the car back as planned.
    """
    prefer.wait()
    row, asked = extend.extend(caller().person, rental, body["quote"])
    return Answer(show(row), 202 if asked else 200, {"Location": f"/v1/rentals/{rental}"} if asked else {})


@routes.add(
    "POST",
    ONE + "/extension/approve",
    summary="Agree to a later end",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def approve_extension(rental: str) -> dict[str, Any]:
    """Agrees to the later end; 409 where the driver may not book any more: it ends as planned."""
    return show(extend.approve(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/extension/decline",
    summary="Decline a later end",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def decline_extension(rental: str) -> dict[str, Any]:
    """Declines the later end; the planned end stays."""
    return show(extend.decline(caller().person, rental))
