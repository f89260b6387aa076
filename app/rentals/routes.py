"""HTTP of rentals: quote, book, the steps without the box, receipt."""

from http import HTTPStatus
from typing import Any

from flask import Response, current_app
from sqlalchemy import or_, select

from app.billing import hold, secured
from app.cars.models import Car
from app.communities.models import Membership
from app.kit import media, prefer
from app.kit.auth import caller
from app.kit.errors import (
    Arrears,
    CardDeclined,
    CardNeeded,
    CarTaken,
    NotAllowed,
    NotFound,
    NotInsurable,
    NotReady,
    OutsideRules,
    OutsideWindows,
    OwnCar,
    PaymentActionRequired,
    QuoteExpired,
    StepNotAllowed,
    Validation,
)
from app.kit.http import Answer, Page, page
from app.kit.routes import Routes, created
from app.rentals import (
    access,
    book,
    cancel,
    close,
    earnings,
    quote,
    quote_schemas,
    receipt_paper,
    receipt_schemas,
    receipts,
    represent,
    schemas,
)
from app.rentals import approve as approving
from app.rentals.models import Rental

routes = Routes("rentals", __name__, url_prefix="/v1", description="Quotes, rentals and their steps.")
ONE = '/rentals/<pid("ren"):rental>'
STEP = (NotAllowed, StepNotAllowed)


def show(rental: Rental, *, new: bool = False) -> dict[str, Any]:
    return represent.rental(rental, caller().person, new=new)


def after_booking(answer: Response) -> Response:
    """Once booked or extended: wait for the hold, where there is one and the caller likes to; then show the rental anew."""
    rental = answer.headers["Location"].rsplit("/", 1)[-1] if "Location" in answer.headers else None
    seconds = prefer.wait_after()
    if rental is None or not seconds:
        return answer
    payments = hold.all_of(rental)
    if not payments:
        return answer
    booked = answer.status_code == HTTPStatus.CREATED
    secured.wait([row.id for row in (payments if booked else payments[-1:])], rental, seconds)
    found = access.may_see(rental, caller().person)
    body = schemas.Rental().dump(show(found))
    answer.set_data(current_app.json.dumps(body))
    if found.extension is None and answer.status_code == HTTPStatus.ACCEPTED:
        answer.status_code = HTTPStatus.OK
    return answer


# -- quote and book --------------------------------------------------------------------------------------------------


@routes.add(
    "POST",
    "/quotes",
    summary="The price of a span",
    body=quote_schemas.QuoteIn,
    returns=quote_schemas.Quote,
    status=201,
    problems=(NotFound, NotAllowed, OwnCar, OutsideWindows, OutsideRules, CarTaken, StepNotAllowed),
)
def make_quote(body: dict[str, Any]) -> Answer:
    """The itemised price of a span, or of a later end, frozen for 15 minutes."""
    made = quote.quote(caller().person, body)
    return created(represent.quote(made), f"/quotes/{made.id}")


@routes.add("GET", '/quotes/<pid("quo"):quote_id>', summary="A quote", returns=quote_schemas.Quote, etag=True)
def read_quote(quote_id: str) -> dict[str, Any]:
    """A quote as it was frozen."""
    return represent.quote(quote.find(caller().person, quote_id))


@routes.add(
    "POST",
    "/rentals",
    summary="Book a quote",
    body=schemas.RentalIn,
    returns=schemas.Rental,
    status=201,
    key=True,
    asks=("Prefer",),
    after=after_booking,
    problems=(
        NotFound,
        QuoteExpired,
        OwnCar,
        OutsideWindows,
        OutsideRules,
        CarTaken,
        NotInsurable,
        CardNeeded,
        CardDeclined,
        PaymentActionRequired,
        Arrears,
    ),
)
def book_rental(body: dict[str, Any]) -> Answer:
    """Turns a quote into a rental: requested where the owner approves first, else booked. With `Prefer: wait` the answer
    tells how the hold went: card-declined and payment-action-required name the rental, which stays booked until `until`.
    """
    prefer.wait()
    made = book.book(caller().person, body)
    return created(show(made, new=True), f"/rentals/{made.id}")


@routes.add(
    "GET",
    "/rentals",
    summary="One's rentals, as driver or owner",
    query=schemas.RentalQuery,
    returns=schemas.RentalPage,
)
def list_rentals(query: dict[str, Any]) -> Page:
    """Rentals one drives and rentals of one's cars, newest first."""
    me = caller().person
    statement = select(Rental)
    mine, owned = Rental.driver_id == me, Rental.car_id.in_(_cars_run_by(me))
    as_ = query.get("as_")
    statement = statement.where(mine if as_ == "driver" else owned if as_ == "owner" else or_(mine, owned))
    if "state" in query:
        statement = statement.where(Rental.state == query["state"])
    found = page(statement, Rental.id, limit=query["limit"], cursor=query["cursor"])
    found.items = [show(row) for row in found.items]
    return found


def _cars_run_by(person: str) -> Any:
    runs = select(Membership.community_id).where(
        Membership.person_id == person, Membership.ended_at.is_(None), Membership.role != "driver"
    )
    return select(Car.id).where(or_(Car.owner_id == person, Car.community_id.in_(runs)))


@routes.add("GET", ONE, summary="A rental", returns=schemas.Rental, etag=True)
def read_rental(rental: str) -> dict[str, Any]:
    """The rental; `links` holds exactly the steps that this caller may take now."""
    return show(access.may_see(rental, caller().person))


# -- steps without the box -------------------------------------------------------------------------------------------


@routes.add(
    "POST", ONE + "/approve", summary="Agree to a request", returns=schemas.Rental, problems=(*STEP, NotFound)
)
def approve_rental(rental: str) -> dict[str, Any]:
    """Agrees to a request: it becomes booked, and money is held where the fare asks for it."""
    return show(approving.approve(caller().person, rental))


@routes.add(
    "POST", ONE + "/decline", summary="Decline a request", returns=schemas.Rental, problems=(*STEP, NotFound)
)
def decline_rental(rental: str) -> dict[str, Any]:
    """Declines a request; the driver is told."""
    return show(approving.decline(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/withdraw",
    summary="Take a request back",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def withdraw_rental(rental: str) -> dict[str, Any]:
    """Takes one's own request back."""
    return show(approving.withdraw(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/cancel",
    summary="Cancel before the unlock",
    body=schemas.Reason,
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def cancel_rental(rental: str, body: dict[str, Any]) -> dict[str, Any]:
    """Cancels a booked rental and says what is owed and what is refunded."""
    row, owed, back = cancel.cancel(caller().person, rental, body["reason"])
    currency = row.price["total"]["currency"]
    return {
        **show(row),
        "owed": {"amount": owed, "currency": currency},
        "refunded": {"amount": back, "currency": currency},
    }


@routes.add(
    "POST",
    ONE + "/close",
    summary="Close by hand",
    body=schemas.CloseIn,
    returns=schemas.Rental,
    key=True,
    problems=(*STEP, NotFound, NotReady),
)
def close_rental(rental: str, body: dict[str, Any]) -> dict[str, Any]:
    """Closes by hand after a lock without an answer, or after the planned end: the owner states that they have
    car and keys.
    """
    if not body["i_have_the_car"]:
        detail = "Close only when you have the car and the keys."
        raise Validation(errors=[{"pointer": "/i_have_the_car", "code": "invalid", "detail": detail}])
    return show(close.close(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/still-have-it",
    summary="The car is still with me",
    while_suspended=True,
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def still_have_it(rental: str) -> dict[str, Any]:
    """Says that the car is still with the driver; the meter runs on."""
    return show(close.still_have_it(caller().person, rental))


# -- afterwards ------------------------------------------------------------------------------------------------------


@routes.add(
    "GET",
    ONE + "/receipt",
    summary="What the rental came to",
    returns=receipt_schemas.Receipt,
    etag=True,
    media=(media.JSON, media.PDF),
)
def read_receipt(rental: str) -> Any:
    """What the rental came to, line by line, with what was paid and for how long it was covered. As PDF each numbered
    receipt and credit note is a page of its own, as it was issued.
    """
    if media.wanted(media.JSON, media.PDF) == media.PDF:
        return media.file(receipt_paper.of(rental, caller().person), media.PDF, f"receipt-{rental}.pdf")
    return receipts.of(rental, caller().person)


@routes.add(
    "GET",
    '/cars/<pid("car"):car>/earnings',
    summary="What a car has brought against its cost",
    query=quote_schemas.EarningsQuery,
    returns=quote_schemas.Earnings,
    problems=(NotAllowed,),
)
def read_earnings(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """What a car has brought in a calendar year, and how much of its stated cost rentals at cost may still bring."""
    return earnings.of(caller().person, car, query.get("year"))
