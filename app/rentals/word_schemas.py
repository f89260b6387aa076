"""What goes in and out about what driver and owner write."""

from marshmallow import fields

from app.kit.fields import Instant, Many, OneOf, PublicIdField, Strict, Text, Whole
from app.kit.routes import page_of


class NoteIn(Strict):
    """What is to be said to the other side."""

    text = Text(1000, lines=True, required=True)


class NoteOut(Strict):
    """A text between driver and owner; null once whoever wrote it was erased."""

    id = PublicIdField("not", dump_only=True)
    by = PublicIdField("per", dump_only=True, attribute="by_id")
    text = Text(1000, lines=True, allow_none=True)
    made_at = Instant(dump_only=True)


NotePage = page_of(NoteOut, "Note")


class ReviewOut(Strict):
    """What one side says of the other."""

    id = PublicIdField("rev", dump_only=True)
    side = OneOf(("driver", "owner"), dump_only=True)
    stars = Whole(1, 5, required=True)
    text = Text(1000, lines=True, allow_none=True)
    made_at = Instant(dump_only=True)
    opened_at = Instant(dump_only=True, allow_none=True)


class Reviews(Strict):
    """Those that one may read: one's own, and the other's once they are open."""

    items = Many(fields.Nested(ReviewOut), 2)
