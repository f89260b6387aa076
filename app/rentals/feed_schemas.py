"""What goes in and out about calendar feeds."""

from marshmallow import fields

from app.kit.fields import Instant, PublicIdField, Strict
from app.kit.routes import page_of


class Feed(Strict):
    """A secret address at which a calendar program reads one's rentals, or the calendar of a car."""

    id = PublicIdField("fed", dump_only=True)
    car = PublicIdField("car", allow_none=True)
    made_at = Instant(dump_only=True)
    url = fields.String(dump_only=True, allow_none=True, metadata={"format": "uri", "maxLength": 300})


FeedPage = page_of(Feed, "CalendarFeed")
