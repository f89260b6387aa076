"""What goes in and out about imported calendars."""

from marshmallow import fields

from app.cars.busy_times import MOST_SKIPPED
from app.cars.read_calendar import CODES
from app.kit.fields import Instant, Many, OneOf, PublicIdField, Strict, Text, Whole, line
from app.kit.routes import page_of


class Unread(Strict):
    """Why the calendar could not be read when it was tried last."""

    code = OneOf(sorted(CODES))
    detail = Text(300)


class SkippedEvent(Strict):
    """An event that could not be understood: it blocks nothing."""

    uid = Text(200)
    reason = OneOf(("broken", "no_start", "too_often"))


class Conflict(Strict):
    """A rental in a time in which the calendar says busy."""

    rental = PublicIdField("ren")
    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at")


class CalendarImport(Strict):
    """A calendar of one's own; while it says busy the car is not offered. Its address is not shown again."""

    id = PublicIdField("imp", dump_only=True)
    url = Text(2000, required=True, load_only=True, pattern=r"^(https?|webcal)://\S+$")
    name = line(80, required=True)
    host = Text(255, dump_only=True)
    events = Whole(0, 2**31 - 1, dump_only=True)
    last_sync_at = Instant(dump_only=True, allow_none=True)
    tried_at = Instant(dump_only=True, allow_none=True)
    error = fields.Nested(Unread, dump_only=True, allow_none=True)
    skipped = Many(fields.Nested(SkippedEvent), MOST_SKIPPED, dump_only=True)
    conflicts = Many(fields.Nested(Conflict), 20, dump_only=True)


CalendarImportPage = page_of(CalendarImport, "CalendarImport")
