"""HTTP of operators: what runs the place. Changes need a fresh password and a reason, and are kept in the audit log."""

from typing import Any
from urllib.parse import unquote

from flask import Response, request

from app.billing import tax_report
from app.cars.wait_for_broker import wait_cut
from app.kit import media
from app.kit.auth import Who, caller
from app.kit.errors import (
    InUse,
    NotAllowed,
    NotFound,
    PasswordNeeded,
    StepNotAllowed,
    Unavailable,
    Validation,
)
from app.kit.fields import Paging
from app.kit.http import Page
from app.kit.routes import Routes
from app.operator import (
    act,
    act_on_box,
    act_on_charge_request,
    schemas,
    show,
    tax_schemas,
)
from app.rentals import photo_schemas, photos
from payments.money import Money

routes = Routes("operators", __name__, url_prefix="/v1/operator", description="What runs the place.")

PERSON = '<pid("per"):person>'
CHANGE: dict[str, Any] = {"who": Who.OPERATOR, "fresh_password": True}
REFUSED = (NotAllowed, PasswordNeeded, NotFound)
REASON_AT_MOST = 500


def why(given: dict[str, Any]) -> dict[str, str]:
    """Who changes something, and why."""
    return {"by": caller().person, "reason": given["reason"]}


def reason() -> dict[str, str]:
    """Why, of a DELETE, which has no body; in a header, since a path with its query ends up in the logs of proxies."""
    given = " ".join(unquote(request.headers.get("Reason", "")).split())
    if not 1 <= len(given) <= REASON_AT_MOST or not given.isprintable():
        detail = f"Say why in the header Reason: 1 to {REASON_AT_MOST} characters, percent-encoded."
        raise Validation(errors=[{"parameter": "Reason", "code": "required", "detail": detail}])
    return {"reason": given}


# -- reading ---------------------------------------------------------------------------------------------------------


def read(path: str, summary: str, query: Any, returns: Any) -> Any:
    return routes.add(
        "GET",
        path,
        summary=summary,
        query=query,
        returns=returns,
        problems=(NotAllowed, PasswordNeeded),
        **CHANGE,
    )


@read("/people", "The account with an address", schemas.PeopleQuery, schemas.OperatorPeople)
def find_people(query: dict[str, Any]) -> dict[str, Any]:
    found = [show.person(row) for row in act.find_people(query["email"])]
    act.look([one["id"] for one in found], by=caller().person, at="person")
    return {"items": found}


@read("/licences", "Licences to check", Paging, schemas.OperatorLicencePage)
def list_licences(query: dict[str, Any]) -> Page:
    found = show.licences(query)
    act.look([one["person"] for one in found.items], by=caller().person, at="licence")
    return found


@read("/charge-requests", "Charge requests", schemas.ChargeRequestsQuery, schemas.OperatorChargeRequestPage)
def list_all_charge_requests(query: dict[str, Any]) -> Page:
    """Those that are contested or appealed wait for a decision; none is charged without one."""
    return show.charge_requests(query)


@read(
    '/rentals/<pid("ren"):rental>/photos',
    "The photos of a rental",
    Paging,
    photo_schemas.PhotoPage,
)
def list_all_photos(rental: str, query: dict[str, Any]) -> Page:
    found = show.photos_of(rental, query)
    act.look([rental] if found.items else [], by=caller().person, at="photos")
    return found


@routes.add(
    "GET",
    '/photos/<pid("pic"):photo>/file',
    summary="A photo's picture",
    media=(media.JPEG,),
    problems=(NotAllowed, PasswordNeeded, Unavailable),
    **CHANGE,
)
def read_any_photo_file(photo: str) -> Response:
    """The picture itself, for who decides a charge request: who looked is kept."""
    found = show.find_photo(photo)
    act.look([found.id], by=caller().person, at="photo")
    return photos.file(found)


@read("/covers", "Covers", schemas.CoversQuery, schemas.OperatorCoverPage)
def list_all_covers(query: dict[str, Any]) -> Page:
    return show.covers(query)


@read("/jobs", "Jobs that failed for good", Paging, schemas.JobPage)
def list_failed_jobs(query: dict[str, Any]) -> Page:
    return show.jobs(query)


@read("/access-log", "What operators did, and why", Paging, schemas.ActPage)
def list_acts(query: dict[str, Any]) -> Page:
    return show.acts(query)


@read("/facts/<int:position>", "A fact of the total order", None, schemas.FactOut)
def read_fact(position: int) -> dict[str, Any]:
    return show.represent_fact(show.fact(min(position, 2**62)))


@routes.add(
    "GET",
    "/tax-reports/<int:year>",
    summary="What everybody earned in a year, for the tax office",
    returns=tax_schemas.TaxReport,
    media=(media.JSON, media.CSV),
    problems=(NotAllowed, PasswordNeeded),
    **CHANGE,
)
def read_tax_report(year: int) -> Any:
    """The data set that DAC7 asks for, with tax numbers in full: who looked is kept. What is missing is named."""
    report = show.tax_report(year)
    act.look([one["owner"] for one in report["owners"]], by=caller().person, at="tax details")
    if media.wanted(media.JSON, media.CSV) == media.CSV:
        return media.file(tax_report.csv(report), media.CSV, f"tax-report-{year}.csv")
    return report


# -- people, cars, rentals -------------------------------------------------------------------------------------------


def change(path: str, summary: str, body: Any, returns: Any, *more: Any, key: bool = False) -> Any:
    return routes.add(
        "POST",
        path,
        summary=summary,
        body=body,
        returns=returns,
        key=key,
        problems=(*REFUSED, *more),
        **CHANGE,
    )


@change(f"/licences/{PERSON}/clear", "A licence is good", schemas.OperatorReason, schemas.OperatorLicence)
def clear_licence_of_person(person: str, body: dict[str, Any]) -> dict[str, Any]:
    act.clear_licence(person, **why(body))
    return show.find_licence(person)


@change(
    f"/licences/{PERSON}/refuse", "A licence is not good", schemas.OperatorReason, schemas.OperatorLicence
)
def refuse_licence(person: str, body: dict[str, Any]) -> dict[str, Any]:
    act.refuse_licence(person, **why(body))
    return show.find_licence(person)


@change(f"/people/{PERSON}/suspend", "Suspend an account", schemas.OperatorReason, schemas.OperatorPerson)
def suspend_person(person: str, body: dict[str, Any]) -> dict[str, Any]:
    """No sign-in and no unlock any more. What is booked is cancelled at no cost, and lifting the suspension brings none
    of it back; a rental that is out runs to its lock.
    """
    act.suspend(person, **why(body))
    return show.find_person(person)


@change(f"/people/{PERSON}/restore", "Lift a suspension", schemas.OperatorReason, schemas.OperatorPerson)
def restore_person(person: str, body: dict[str, Any]) -> dict[str, Any]:
    act.restore(person, **why(body))
    return show.find_person(person)


@change('/cars/<pid("car"):car>/safe', "Bar a car, or let it again", schemas.Safe, schemas.CarSafe, InUse)
def set_car_safe(car: str, body: dict[str, Any]) -> dict[str, Any]:
    act.set_safe(car, safe=body["safe"], **why(body))
    return show.car_safe(car)


def _after_cut(answer: Response) -> Response:
    """Once the row is committed: wait until the broker has let go of the box."""
    wait_cut((request.view_args or {})["car"])
    return answer


@routes.add(
    "POST",
    '/cars/<pid("car"):car>/stolen',
    summary="A car was stolen",
    body=schemas.OperatorReason,
    returns=schemas.CarSafe,
    problems=(*REFUSED, Unavailable),
    after=_after_cut,
    **CHANGE,
)
def mark_car_stolen(car: str, body: dict[str, Any]) -> dict[str, Any]:
    """Bars the car and cuts its box off the broker, its connection too, also while it is lent."""
    act_on_box.mark_stolen(car, **why(body))
    return show.car_safe(car)


@routes.add(
    "DELETE",
    '/cars/<pid("car"):car>/box',
    summary="Take a box out, also of a car that is lent",
    asks=("Reason",),
    status=204,
    problems=(*REFUSED, Unavailable),
    after=_after_cut,
    **CHANGE,
)
def remove_box_as_operator(car: str) -> None:
    """Needs `Reason`. Cuts it off the broker, its connection too, also while the car is lent."""
    act_on_box.remove_box(car, **why(reason()))


@change(
    '/rentals/<pid("ren"):rental>/close',
    "Close a rental that its box cannot",
    schemas.OperatorReason,
    schemas.ClosedRental,
    StepNotAllowed,
    key=True,
)
def close_rental_as_operator(rental: str, body: dict[str, Any]) -> dict[str, Any]:
    return show.rental(act.close_rental(rental, **why(body)))


@change(
    '/charge-requests/<pid("chr"):charge_request>/decide',
    "Decide a charge request",
    schemas.DecisionIn,
    schemas.OperatorChargeRequest,
    StepNotAllowed,
)
def decide_charge_request(charge_request: str, body: dict[str, Any]) -> dict[str, Any]:
    """How much the driver owes, from nothing to what was asked, with the reason that both sides read. An appeal is for
    another operator, whose decision is charged at once.
    """
    amount = Money.from_dict(body["amount"])
    return show.charge_request(act_on_charge_request.decide(charge_request, amount, **why(body)))


@change("/jobs/<int:job>/retry", "Run a failed job once more", schemas.OperatorReason, schemas.Job)
def retry_job(job: int, body: dict[str, Any]) -> dict[str, Any]:
    return show.job(act.retry_job(min(job, 2**62), **why(body)))


@change("/jobs/<int:job>/dismiss", "A failed job stays undone", schemas.OperatorReason, schemas.Job)
def dismiss_job(job: int, body: dict[str, Any]) -> dict[str, Any]:
    return show.job(act.dismiss_job(min(job, 2**62), **why(body)))


@change("/keys/rotate", "The next signing key of a purpose", schemas.Rotate, schemas.Rotated)
def rotate_keys(body: dict[str, Any]) -> dict[str, Any]:
    return {"purpose": body["purpose"], "kid": act.rotate_keys(body["purpose"], **why(body))}
