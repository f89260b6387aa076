"""HTTP of the waiting list."""

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.kit.auth import caller
from app.kit.errors import InUse, NotFound
from app.kit.fields import Instant, OneOf, Paging, PublicIdField, Strict
from app.kit.http import Answer, Page, page
from app.kit.routes import created, page_of
from app.rentals import waits
from app.rentals.routes import routes
from app.rentals.wait_models import Wait


class Offer(Strict):
    """What is held for whoever waited: to be booked by its quote until then."""

    quote = PublicIdField("quo")
    car = PublicIdField("car")
    answer_by = Instant()


class WaitOut(Strict):
    """A wait for a car, or for any of a community."""

    id = PublicIdField("wai", dump_only=True)
    car = PublicIdField("car", allow_none=True)
    community = PublicIdField("com", allow_none=True)
    from_ = Instant(required=True, data_key="from", attribute="from_at")
    to = Instant(required=True, attribute="to_at")
    state = OneOf(("waiting", "offered", "taken", "lapsed"), dump_only=True)
    offer = fields.Nested(Offer, dump_only=True, allow_none=True)

    @validates_schema
    def one_of_two(self, data: dict[str, object], **_: object) -> None:
        """One car, or one community."""
        if (data.get("car") is None) == (data.get("community") is None):
            raise ValidationError("Name a car, or a community.", "car")


WaitPage = page_of(WaitOut, "Wait")


def _wait(row: Wait) -> dict[str, Any]:
    until = waits.answer_by(row)
    offer = {"quote": row.quote_id, "car": row.offered_car_id, "answer_by": until} if until else None
    return {
        "id": row.id,
        "car": row.car_id,
        "community": row.community_id,
        "from_at": row.from_at,
        "to_at": row.to_at,
        "state": row.state,
        "offer": offer,
    }


@routes.add(
    "POST",
    "/me/waits",
    summary="Wait for a car",
    body=WaitOut,
    returns=WaitOut,
    status=201,
    problems=(NotFound, InUse),
)
def add_wait(body: dict[str, Any]) -> Answer:
    """Waits for a car, or for any of a community, for a span. When one frees it is held for whoever has waited longest
    and may have it: they are told, and book the quote of the offer within half an hour.
    """
    row = waits.add(caller().person, body)
    return created(_wait(row), f"/me/waits/{row.id}")


@routes.add("GET", "/me/waits", summary="What one waits for", query=Paging, returns=WaitPage)
def list_waits(query: dict[str, Any]) -> Page:
    """One's waits, newest first, those that are over too."""
    found = page(waits.mine(caller().person), Wait.id, **query)
    found.items = [_wait(row) for row in found.items]
    return found


@routes.add("GET", '/me/waits/<pid("wai"):wait>', summary="A wait", returns=WaitOut, etag=True)
def read_wait(wait: str) -> dict[str, Any]:
    """One wait, and what is offered."""
    return _wait(waits.find(caller().person, wait))


@routes.add("DELETE", '/me/waits/<pid("wai"):wait>', summary="Wait no longer", status=204)
def remove_wait(wait: str) -> None:
    """Ends a wait; what was held for it is offered to the next."""
    waits.remove(caller().person, wait)
