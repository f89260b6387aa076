"""HTTP of what driver and owner write: notes to each other, reviews of each other."""

from typing import Any

from marshmallow import fields

from app.kit.auth import caller
from app.kit.errors import AlreadyExists, OutsideRules, StepNotAllowed
from app.kit.fields import Instant, Many, OneOf, Paging, PublicIdField, Strict, Text, Whole
from app.kit.http import Answer, Page, page
from app.kit.routes import created, page_of
from app.rentals import notes, reviews
from app.rentals.routes import ONE, routes
from app.rentals.word_models import Note, Review


def _words(longest: int, **kwargs: Any) -> Text:
    return Text(longest, lines=True, **kwargs)


class NoteIn(Strict):
    """What is to be said to the other side."""

    text = _words(1000, required=True)


class NoteOut(Strict):
    """A text between driver and owner; null once whoever wrote it was erased."""

    id = PublicIdField("not", dump_only=True)
    by = PublicIdField("per", dump_only=True, attribute="by_id")
    text = _words(1000, allow_none=True)
    made_at = Instant(dump_only=True)


NotePage = page_of(NoteOut, "Note")


class ReviewOut(Strict):
    """What one side says of the other."""

    id = PublicIdField("rev", dump_only=True)
    side = OneOf(("driver", "owner"), dump_only=True)
    stars = Whole(1, 5, required=True)
    text = _words(1000, allow_none=True)
    made_at = Instant(dump_only=True)
    opened_at = Instant(dump_only=True, allow_none=True)


class Reviews(Strict):
    """Those that one may read: one's own, and the other's once they are open."""

    items = Many(fields.Nested(ReviewOut), 2)


@routes.add(
    "POST",
    ONE + "/notes",
    summary="Write to the other side",
    body=NoteIn,
    returns=NoteOut,
    status=201,
    while_suspended=True,
    problems=(StepNotAllowed, OutsideRules),
)
def add_note(rental: str, body: dict[str, Any]) -> Answer:
    """Writes to the other side of a rental, who is told, up to a week after it is over."""
    made = notes.write(caller().person, rental, body["text"])
    return created(made, f"/rentals/{rental}/notes")


@routes.add("GET", ONE + "/notes", summary="The notes of a rental", query=Paging, returns=NotePage)
def list_notes(rental: str, query: dict[str, Any]) -> Page:
    """What driver and owner wrote to each other, newest first."""
    return page(notes.of(caller().person, rental), Note.id, **query)


@routes.add(
    "POST",
    ONE + "/reviews",
    summary="Review the other side",
    body=ReviewOut,
    returns=ReviewOut,
    status=201,
    problems=(StepNotAllowed, AlreadyExists),
)
def add_review(rental: str, body: dict[str, Any]) -> Answer:
    """Says how it was, within two weeks of the end, once and for good. Neither side reads the other's before both have
    written, or the two weeks are over.
    """
    made: Review = reviews.write(caller().person, rental, body["stars"], body.get("text"))
    return created(made, f"/rentals/{rental}/reviews")


@routes.add("GET", ONE + "/reviews", summary="The reviews of a rental", returns=Reviews)
def list_reviews(rental: str) -> dict[str, Any]:
    """One's own review, and the other side's once they are open."""
    return {"items": reviews.seen_by(caller().person, rental)}
