"""HTTP of the waiting list."""

from typing import Any

from app.kit.auth import caller
from app.kit.errors import InUse, NotFound
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.routes import created
from app.rentals import wait_schemas, waits
from app.rentals.routes import routes
from app.rentals.wait_models import Wait


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
    body=wait_schemas.WaitOut,
    returns=wait_schemas.WaitOut,
    status=201,
    problems=(NotFound, InUse),
)
def add_wait(body: dict[str, Any]) -> Answer:
    """Waits for a car, or for any of a community, for a span. When one frees it is held for whoever has waited longest
    and may have it: they are told, and book the quote of the offer within half an hour.
    """
    row = waits.add(caller().person, body)
    return created(_wait(row), f"/me/waits/{row.id}")


@routes.add("GET", "/me/waits", summary="What one waits for", query=Paging, returns=wait_schemas.WaitPage)
def list_waits(query: dict[str, Any]) -> Page:
    """One's waits, newest first, those that are over too."""
    found = page(waits.mine(caller().person), Wait.id, **query)
    found.items = [_wait(row) for row in found.items]
    return found


@routes.add("GET", '/me/waits/<pid("wai"):wait>', summary="A wait", returns=wait_schemas.WaitOut, etag=True)
def read_wait(wait: str) -> dict[str, Any]:
    """One wait, and what is offered."""
    return _wait(waits.find(caller().person, wait))


@routes.add("DELETE", '/me/waits/<pid("wai"):wait>', summary="Wait no longer", status=204)
def remove_wait(wait: str) -> None:
    """Ends a wait; what was held for it is offered to the next."""
    waits.remove(caller().person, wait)
