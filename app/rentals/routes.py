"""HTTP of rentals: quote, book, change, grant, receipt."""

from http import HTTPStatus
from typing import Any

from flask import Response, current_app
from sqlalchemy import or_, select

from app.billing import hold, secured
from app.cars.models import Car
from app.cars.routes import found as found_car
from app.communities.models import Membership
from app.kit import media, prefer
from app.kit.auth import Who, caller
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
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.routes import Routes, created
from app.rentals import (
    access,
    alternatives,
    book,
    cancel,
    close,
    extend,
    grant,
    offline_receipts,
    offline_schemas,
    quote,
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


def _show(rental: Rental, *, new: bool = False) -> dict[str, Any]:
    return represent.rental(rental, caller().person, new=new)


def _after_booking(answer: Response) -> Response:
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
    body = schemas.Rental().dump(_show(found))
    answer.set_data(current_app.json.dumps(body))
    if found.extension is None and answer.status_code == HTTPStatus.ACCEPTED:
        answer.status_code = HTTPStatus.OK
    return answer


# -- quote and book --------------------------------------------------------------------------------------------------


@routes.add(
    "POST",
    "/quotes",
    summary="The price of a span",
    body=schemas.QuoteIn,
    returns=schemas.Quote,
    status=201,
    problems=(NotFound, OwnCar, OutsideWindows, OutsideRules, CarTaken, StepNotAllowed),
)
def make_quote(body: dict[str, Any]) -> Answer:
    """The itemised price of a span, or of a later end, frozen for 15 minutes."""
    made = quote.quote(caller().person, body)
    return created(represent.quote(made), f"/quotes/{made.id}")


@routes.add("GET", '/quotes/<pid("quo"):quote_id>', summary="A quote", returns=schemas.Quote, etag=True)
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
    after=_after_booking,
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
    return created(_show(made, new=True), f"/rentals/{made.id}")


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
    found.items = [_show(row) for row in found.items]
    return found


def _cars_run_by(person: str) -> Any:
    runs = select(Membership.community_id).where(
        Membership.person_id == person, Membership.ended_at.is_(None), Membership.role != "driver"
    )
    return select(Car.id).where(or_(Car.owner_id == person, Car.community_id.in_(runs)))


@routes.add("GET", ONE, summary="A rental", returns=schemas.Rental, etag=True)
def read_rental(rental: str) -> dict[str, Any]:
    """The rental; `links` holds exactly the steps that this caller may take now."""
    return _show(access.may_see(rental, caller().person))


# -- steps without the box -------------------------------------------------------------------------------------------


@routes.add(
    "POST", ONE + "/approve", summary="Agree to a request", returns=schemas.Rental, problems=(*STEP, NotFound)
)
def approve_rental(rental: str) -> dict[str, Any]:
    """Agrees to a request: it becomes booked, and money is held where the fare asks for it."""
    return _show(approving.approve(caller().person, rental))


@routes.add(
    "POST", ONE + "/decline", summary="Decline a request", returns=schemas.Rental, problems=(*STEP, NotFound)
)
def decline_rental(rental: str) -> dict[str, Any]:
    """Declines a request; the driver is told."""
    return _show(approving.decline(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/withdraw",
    summary="Take a request back",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def withdraw_rental(rental: str) -> dict[str, Any]:
    """Takes one's own request back."""
    return _show(approving.withdraw(caller().person, rental))


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
        **_show(row),
        "owed": {"amount": owed, "currency": currency},
        "refunded": {"amount": back, "currency": currency},
    }


@routes.add(
    "POST",
    ONE + "/extend",
    summary="Ask for a later end",
    body=schemas.ExtendIn,
    returns=schemas.Rental,
    also=(202,),
    key=True,
    asks=("Prefer",),
    after=_after_booking,
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
    `Prefer: wait` the answer tells how that went.
    """
    prefer.wait()
    row, asked = extend.extend(caller().person, rental, body["quote"])
    return Answer(_show(row), 202 if asked else 200, {"Location": f"/v1/rentals/{rental}"} if asked else {})


@routes.add(
    "POST",
    ONE + "/extension/approve",
    summary="Agree to a later end",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def approve_extension(rental: str) -> dict[str, Any]:
    """Agrees to the later end."""
    return _show(extend.approve(caller().person, rental))


@routes.add(
    "POST",
    ONE + "/extension/decline",
    summary="Decline a later end",
    returns=schemas.Rental,
    problems=(*STEP, NotFound),
)
def decline_extension(rental: str) -> dict[str, Any]:
    """Declines the later end; the planned end stays."""
    return _show(extend.decline(caller().person, rental))


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
    return _show(close.close(caller().person, rental))


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
    return _show(close.still_have_it(caller().person, rental))


# -- without signal --------------------------------------------------------------------------------------------------


@routes.add(
    "GET",
    ONE + "/grant",
    summary="What opens the car without signal",
    returns=offline_schemas.GrantOut,
    etag=True,
    problems=(NotAllowed, NotReady, NotInsurable),
)
def read_grant(rental: str) -> dict[str, Any]:
    """The offline access grant for this phone, from a day before the start. Ask again after each change of the rental:
    the answer stays the same until there is something new. It needs a car whose box has a companion, and a phone with a
    `public_key`; not-ready says what is missing.
    """
    return grant.fetch(caller(), rental)


@routes.add(
    "POST",
    "/me/offline-receipts",
    summary="Hand on what a box signed",
    while_suspended=True,
    body=offline_schemas.OfflineReceiptsIn,
    returns=offline_schemas.OfflineReceiptsOut,
)
def upload_receipts(body: dict[str, Any]) -> dict[str, Any]:
    """Takes what boxes signed while they had no signal: in any order, any number of times, from whoever brings it. What
    they did becomes custody, cover and meter at the box's time, between the last contact and now.
    """
    return {"results": offline_receipts.upload(caller().person, body["receipts"])}


@routes.add(
    "POST",
    "/box-records",
    summary="What a box says itself",
    who=Who.ALL,
    body=offline_schemas.BoxRecordsIn,
    returns=offline_schemas.BoxRecordsOut,
)
def upload_box_records(body: dict[str, Any]) -> dict[str, Any]:
    """For a companion with a network of its own, known by the signatures of its records alone: hands on receipts, and
    gets the revocations for it, which it acknowledges with the next call.
    """
    results, revoked = offline_receipts.upload_by_box(body["records"])
    return {"results": results, "revocations": revoked}


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
    ONE + "/alternatives",
    summary="Other cars for the same span",
    query=Paging,
    returns=schemas.Alternatives,
    problems=(NotAllowed,),
)
def list_alternatives(rental: str, query: dict[str, Any]) -> Page:
    """Other cars free for the same span, for when this one fails."""
    rows, row, following = alternatives.of(rental, caller().person, **query)
    return Page([found_car(one, {}, (row.from_at, row.to_at)) for one in rows], following)
