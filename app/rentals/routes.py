"""HTTP of rentals: quote, book, the steps, readiness, commands, receipt."""

import hashlib
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, g, request
from sqlalchemy import or_, select

from app.billing import hold, secured
from app.cars import access as cars_access
from app.cars.models import Car
from app.cars.routes import found as found_car
from app.communities.models import Membership
from app.kit import clock, media, prefer
from app.kit.auth import Who, caller
from app.kit.db import session
from app.kit.errors import (
    Arrears,
    BoxRefused,
    BoxSilent,
    CardDeclined,
    CardNeeded,
    CarLent,
    CarTaken,
    CommandOpen,
    NotAllowed,
    NotFound,
    NotInsurable,
    NotReady,
    OutsideRules,
    OutsideWindows,
    OwnCar,
    PaymentActionRequired,
    QuoteExpired,
    SignatureInvalid,
    StepNotAllowed,
    Validation,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.routes import Routes, created
from app.people import phones
from app.people.models import Phone
from app.rentals import (
    access,
    alternatives,
    book,
    cancel,
    close,
    commands,
    earnings,
    extend,
    grant,
    lock,
    offline_receipts,
    pause,
    quote,
    readiness,
    receipt_paper,
    receipts,
    represent,
    schemas,
    unlock,
)
from app.rentals import approve as approving
from app.rentals.lifecycle import Role
from app.rentals.models import Command, Rental

routes = Routes("rentals", __name__, url_prefix="/v1", description="Quotes, rentals and their steps.")
ONE = '/rentals/<pid("ren"):rental>'
CAR = '/cars/<pid("car"):car>'
STEP = (NotAllowed, StepNotAllowed)
_COMMAND = schemas.Command()
DOOR = (NotAllowed, StepNotAllowed, NotReady, CommandOpen, BoxRefused, BoxSilent, SignatureInvalid)


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


# -- steps through the box -------------------------------------------------------------------------------------------


def _after_command(answer: Response) -> Response:
    """Once the command is committed: wait for it with no connection in hand, then answer as it stands."""
    command = g.get("command")
    if command is None:
        return answer
    place = answer.headers["Location"]
    shown = commands.outcome_of(commands.wait_settled(command, prefer.wait_after()), place)
    made: Response = current_app.json.response(_COMMAND.dump(shown.body))  # type: ignore[assignment]
    made.status_code = shown.status or 200
    made.headers.update(shown.headers)
    if "Idempotent-Replayed" in answer.headers:
        made.headers["Idempotent-Replayed"] = "true"
    return made


def _begun(command: Command, place: str) -> Answer:
    g.command = command.id
    return Answer(commands.represent(command), 202, {"Location": f"/v1{place}/commands/{command.id}"})


def _require_signature() -> None:
    """A phone that registered a key signs its door commands with it; what else their headers ask must be sound too."""
    prefer.wait()
    if caller().phone is None:
        return
    public_key = session.execute(
        select(Phone.public_key).where(Phone.id == caller().phone)
    ).scalar_one_or_none()
    if public_key is None:
        return
    digest = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    phones.check_signature(
        public_key,
        request.headers.get("Phone-Signature"),
        request.method,
        request.path,
        request.headers.get("Idempotency-Key", ""),
        digest,
    )


@routes.add(
    "GET",
    ONE + "/readiness",
    summary="Whether a step would be let through",
    query=schemas.StepQuery,
    returns=schemas.Readiness,
    problems=(NotAllowed,),
)
def read_readiness(rental: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every condition of unlock or lock as the step itself would judge it now, and what to do about those not
    met.
    """
    row = access.may_see(rental, caller().person)
    if access.role_of(row, caller().person) is not Role.DRIVER:
        raise NotAllowed("Only the driver asks for readiness.")
    car = session.get(Car, row.car_id)
    assert car is not None
    now = clock.now()
    asked = readiness.Asked(caller().person, caller().phone, keys_in_glove_box=row.keys_stated)
    found = readiness.of(car, row, query["step"], now, asked)
    return {"ready": all(one.met or not one.blocking for one in found), "at": now, "conditions": found}


@routes.add(
    "POST",
    ONE + "/unlock",
    summary="Open the car",
    while_suspended=True,
    returns=schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def unlock_rental(rental: str) -> Answer:
    """Opens the car, on the driver's phone. Answers 200 with the settled command within `Prefer: wait`, else
    202. While a command is open the same one is answered.
    """
    _require_signature()
    return _begun(unlock.unlock(caller(), rental), f"/rentals/{rental}")


@routes.add(
    "POST",
    ONE + "/pause",
    summary="Lock without ending",
    while_suspended=True,
    returns=schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def pause_rental(rental: str) -> Answer:
    """Locks the car without ending the rental."""
    _require_signature()
    return _begun(pause.pause(caller(), rental), f"/rentals/{rental}")


@routes.add(
    "POST",
    ONE + "/lock",
    summary="Lock and end the rental",
    while_suspended=True,
    body=schemas.LockIn,
    returns=schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    limit="none",
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def lock_rental(rental: str, body: dict[str, Any]) -> Answer:
    """Locks the car and ends the rental once the box has confirmed; if it refuses, the rental stays active."""
    _require_signature()
    command = lock.lock(
        caller(), rental, keys_in_glove_box=body["keys_in_glove_box"], plugged_in=body.get("plugged_in")
    )
    return _begun(command, f"/rentals/{rental}")


@routes.add(
    "GET",
    ONE + '/commands/<pid("cmd"):command>',
    summary="A command of a rental",
    returns=schemas.Command,
    etag=True,
)
def read_rental_command(rental: str, command: str) -> dict[str, Any]:
    """How a command of the rental stands."""
    return commands.represent(commands.find_of_rental(rental, command, caller().person))


@routes.add(
    "POST",
    CAR + "/commands",
    summary="Command a car",
    body=schemas.CommandIn,
    returns=schemas.Command,
    key=True,
    status=202,
    also=(200,),
    asks=("Prefer", "Phone-Signature"),
    after=_after_command,
    problems=(
        NotAllowed,
        NotFound,
        CarLent,
        NotReady,
        CommandOpen,
        BoxRefused,
        BoxSilent,
        SignatureInvalid,
    ),
)
def command_car(car: str, body: dict[str, Any]) -> Answer:
    """Commands the car outside the steps of a rental: its owner while it is not lent, its driver for charging
    and climate while it is.
    """
    _require_signature()
    return _begun(commands.ask(caller(), car, body["kind"], body.get("value")), f"/cars/{car}")


@routes.add(
    "GET",
    CAR + "/commands",
    summary="Commands to a car",
    query=Paging,
    returns=schemas.CommandPage,
    problems=(NotAllowed,),
)
def list_commands(car: str, query: dict[str, Any]) -> Page:
    """Commands to the car, newest first."""
    cars_access.may_run(car, caller().person)
    found = page(select(Command).where(Command.car_id == car), Command.id, **query)
    found.items = [commands.represent(row) for row in found.items]
    return found


@routes.add(
    "GET",
    CAR + '/commands/<pid("cmd"):command>',
    summary="A command to a car",
    returns=schemas.Command,
    etag=True,
)
def read_car_command(car: str, command: str) -> dict[str, Any]:
    """How a command to the car stands."""
    return commands.represent(commands.find_of_car(car, command, caller().person))


@routes.add(
    "GET",
    CAR + "/earnings",
    summary="What a car has brought against its cost",
    query=schemas.EarningsQuery,
    returns=schemas.Earnings,
    problems=(NotAllowed,),
)
def read_earnings(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """What a car has brought in a calendar year, and how much of its stated cost rentals at cost may still bring."""
    return earnings.of(caller().person, car, query.get("year"))


# -- without signal --------------------------------------------------------------------------------------------------


@routes.add(
    "GET",
    ONE + "/grant",
    summary="What opens the car without signal",
    returns=schemas.GrantOut,
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
    body=schemas.OfflineReceiptsIn,
    returns=schemas.OfflineReceiptsOut,
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
    body=schemas.BoxRecordsIn,
    returns=schemas.BoxRecordsOut,
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
    returns=schemas.Receipt,
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
