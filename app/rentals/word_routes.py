"""HTTP of what driver and owner write: notes to each other, reviews of each other."""

from typing import Any

from app.kit.auth import caller
from app.kit.errors import AlreadyExists, NotAllowed, OutsideRules, StepNotAllowed
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.routes import created
from app.rentals import notes, reviews, word_schemas
from app.rentals.routes import ONE, routes
from app.rentals.word_models import Note, Review


@routes.add(
    "POST",
    ONE + "/notes",
    summary="Write to the other side",
    body=word_schemas.NoteIn,
    returns=word_schemas.NoteOut,
    status=201,
    while_suspended=True,
    problems=(NotAllowed, StepNotAllowed, OutsideRules),
)
def add_note(rental: str, body: dict[str, Any]) -> Answer:
    """Writes to the other side of a rental, who is told, up to a week after it is over; a driver who is no member any more,
    or is blocked or suspended, only until then.
    """
    made = notes.write(caller().person, rental, body["text"])
    return created(made, f"/rentals/{rental}/notes")


@routes.add(
    "GET", ONE + "/notes", summary="The notes of a rental", query=Paging, returns=word_schemas.NotePage
)
def list_notes(rental: str, query: dict[str, Any]) -> Page:
    """What driver and owner wrote to each other, newest first."""
    return page(notes.of(caller().person, rental), Note.id, **query)


@routes.add(
    "POST",
    ONE + "/reviews",
    summary="Review the other side",
    body=word_schemas.ReviewOut,
    returns=word_schemas.ReviewOut,
    status=201,
    problems=(StepNotAllowed, AlreadyExists),
)
def add_review(rental: str, body: dict[str, Any]) -> Answer:
    """Says how it was, within two weeks of the end, once and for good. Neither side reads the other's before both have
    written, or the two weeks are over.
    """
    made: Review = reviews.write(caller().person, rental, body["stars"], body.get("text"))
    return created(made, f"/rentals/{rental}/reviews")


@routes.add("GET", ONE + "/reviews", summary="The reviews of a rental", returns=word_schemas.Reviews)
def list_reviews(rental: str) -> dict[str, Any]:
    """One's own review, and the other side's once they are open."""
    return {"items": reviews.seen_by(caller().person, rental)}
