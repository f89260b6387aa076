"""HTTP of what comes in between: another car where the booked one fails, and word of being late."""

from typing import Any

from app.cars.routes import found as found_car
from app.kit.auth import caller
from app.kit.errors import (
    CarTaken,
    NotAllowed,
    NotFound,
    NotInsurable,
    NotReady,
    OutsideWindows,
    OwnCar,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page
from app.kit.routes import created
from app.rentals import alternatives, schemas, swap, tell_late
from app.rentals.routes import ONE, STEP, routes, show


@routes.add(
    "GET",
    ONE + "/alternatives",
    summary="Other cars that may take the place of this one",
    query=Paging,
    returns=schemas.Alternatives,
    problems=(NotAllowed,),
)
def list_alternatives(rental: str, query: dict[str, Any]) -> Page:
    """Other cars of the community that the rental could be swapped to, for when the booked one fails: the nearest to it
    first, with their distance from it. `total` is the price that is kept. A page may hold fewer than asked while there are
    more.
    """
    rows, row, following = alternatives.of(rental, caller().person, **query)
    price = {"total": row.price["total"]}
    return Page([found_car(one, (None, None)) | price for one in rows], following)


@routes.add(
    "POST",
    ONE + "/swap",
    summary="Take another car instead",
    body=schemas.SwapIn,
    returns=schemas.Rental,
    status=201,
    key=True,
    problems=(*STEP, NotFound, OwnCar, OutsideWindows, NotReady, NotInsurable, CarTaken),
)
def swap_car(rental: str, body: dict[str, Any]) -> Answer:
    """Before the unlock, when the booked car is late, missing, unsafe or not ready: another takes its place at the same
    price, insured anew. This rental is cancelled at no cost; the answer is the one that takes its place. `missing` is
    refused where the box has reported the car at its place in the last ten minutes: the driver looks again, or cancels.
    """
    made = swap.swap(caller().person, rental, body["car"], missing=body["missing"])
    return created(show(made), f"/rentals/{made.id}")


@routes.add(
    "POST",
    ONE + "/late",
    summary="Say when the car will be back",
    body=schemas.LateIn,
    while_suspended=True,
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def tell_late_back(rental: str, body: dict[str, Any]) -> dict[str, Any]:
    """Says when the car will be back; its owner and whoever has booked it next are told. The tariff stays as it is."""
    return show(tell_late.tell_late(caller().person, rental, body["back_at"]))
