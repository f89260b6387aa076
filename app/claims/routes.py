"""HTTP of what comes after a rental: charge requests, their steps, the hand-over letter."""

from typing import Any

from flask import current_app
from sqlalchemy import select

from app.claims import access, alarms, represent, schemas
from app.claims.answer import answer
from app.claims.appeal import appeal
from app.claims.charge_request import charge_request
from app.claims.hand_over_letter import hand_over_letter, on_paper
from app.claims.models import ChargeRequest
from app.claims.withdraw import withdraw
from app.kit import media
from app.kit.auth import caller
from app.kit.errors import AlreadyExists, NotAllowed, OutsideRules, StepNotAllowed
from app.kit.fields import Paging
from app.kit.http import JSON, Answer, Page, page
from app.kit.routes import Routes, created
from app.rentals import access as rentals

METRICS = (alarms,)
"""Importing the routes registers what Prometheus is told."""
routes = Routes("claims", __name__, url_prefix="/v1", description="Charge requests after a rental.")
RENTAL = '/rentals/<pid("ren"):rental>'
ONE = '/charge-requests/<pid("chr"):charge_request_id>'
TEXT = "text/plain"
STEP = (NotAllowed, StepNotAllowed)


def _show(row: ChargeRequest) -> dict[str, Any]:
    return represent.charge_request(row, access.role_of(row, caller().person))


@routes.add(
    "POST",
    RENTAL + "/charge-requests",
    summary="Ask the driver to pay after a rental",
    body=schemas.ChargeRequestIn,
    returns=schemas.ChargeRequest,
    status=201,
    problems=(*STEP, OutsideRules, AlreadyExists),
)
def make_charge_request(rental: str, body: dict[str, Any]) -> Answer:
    """For the owner, within 14 days of the rental's end, a year for a fine or toll. The driver has 72 hours to answer;
    nothing is charged before.
    """
    made = charge_request(caller().person, rental, body)
    return created(_show(made), f"/charge-requests/{made.id}")


@routes.add(
    "GET",
    RENTAL + "/charge-requests",
    summary="The charge requests of a rental",
    query=Paging,
    returns=schemas.ChargeRequestPage,
)
def list_charge_requests(rental: str, query: dict[str, Any]) -> Page:
    """The charge requests of a rental, the same for owner and driver, newest first."""
    rentals.may_see(rental, caller().person)
    found = page(select(ChargeRequest).where(ChargeRequest.rental_id == rental), ChargeRequest.id, **query)
    found.items = [_show(row) for row in found.items]
    return found


@routes.add("GET", ONE, summary="A charge request", returns=schemas.ChargeRequest, etag=True)
def read_charge_request(charge_request_id: str) -> dict[str, Any]:
    """A charge request with its evidence, answer, decision and appeal."""
    return _show(access.may_see(charge_request_id, caller().person))


@routes.add(
    "POST",
    ONE + "/answer",
    summary="Accept or contest a charge request",
    body=schemas.ChargeAnswerIn,
    returns=schemas.ChargeRequest,
    problems=STEP,
)
def answer_charge_request(charge_request_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """For the driver: accepted, it is charged when the answer window ends; contested, an operator decides."""
    return _show(answer(caller().person, charge_request_id, body))


@routes.add(
    "POST",
    ONE + "/withdraw",
    summary="Take a charge request back",
    returns=schemas.ChargeRequest,
    problems=STEP,
)
def withdraw_charge_request(charge_request_id: str) -> dict[str, Any]:
    """For the owner, as long as nothing was charged."""
    return _show(withdraw(caller().person, charge_request_id))


@routes.add(
    "POST",
    ONE + "/appeal",
    summary="Appeal the decision on a charge request",
    body=schemas.AppealIn,
    returns=schemas.ChargeRequest,
    problems=STEP,
)
def appeal_charge_request(charge_request_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """For driver or owner, once, within 14 days of the decision; another operator decides, for good."""
    return _show(appeal(caller().person, charge_request_id, body["text"]))


@routes.add(
    "GET",
    RENTAL + "/hand-over-letter",
    summary="Who had the car, for an authority (JSON, text or PDF)",
    query=schemas.LetterQuery,
    returns=schemas.HandOverLetter,
    media=(JSON, TEXT, media.PDF),
    problems=(NotAllowed, OutsideRules),
)
def read_hand_over_letter(rental: str, query: dict[str, Any]) -> Any:
    """For the owner: names the driver who held the car at the instant, with the address, to hand a fine or toll over.
    Each reading is logged and told to the driver.
    """
    found = hand_over_letter(caller().person, rental, query["at"], query["as_of"])
    form = media.wanted(JSON, TEXT, media.PDF)
    if form == media.PDF:
        return media.file(on_paper(found, caller().person), form, f"hand-over-letter-{rental}.pdf")
    if form == TEXT:
        return current_app.response_class(f"{found['subject']}\n\n{found['letter']}\n", mimetype=TEXT)
    return found
