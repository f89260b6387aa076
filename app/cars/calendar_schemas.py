"""What goes in and out about a car's calendar: windows, blocks, what is free."""

from marshmallow import fields

from app.kit.fields import (
    Day,
    Instant,
    LocalTime,
    Many,
    OneOf,
    PublicIdField,
    Strict,
    Text,
)
from app.kit.routes import page_of


class Window(Strict):
    """A span, perhaps repeated, in the car's wall time."""

    id = PublicIdField("win", dump_only=True)
    from_ = LocalTime(required=True, data_key="from", attribute="from_")
    to = LocalTime(required=True)
    rrule = Text(200, pattern=r"^[A-Z0-9=;,]+$", allow_none=True)
    exdates = Many(Day(), 200)
    rdates = Many(Day(), 200)


WindowPage = page_of(Window, "Window")


class Block(Strict):
    """A span in which the car is not offered."""

    id = PublicIdField("blk", dump_only=True)
    from_ = Instant(required=True, data_key="from", attribute="from_at")
    to = Instant(required=True, attribute="to_at")
    kind = OneOf(("own_use", "maintenance", "other"), required=True)
    note = Text(200, shortest=0, lines=True, allow_none=True)


BlockPage = page_of(Block, "Block")


class CalendarQuery(Strict):
    """A span of at most 92 days."""

    from_ = Instant(required=True, data_key="from")
    to = Instant(required=True)


class PictureQuery(Strict):
    """Which days to draw."""

    day = Day()
    span = OneOf(("week", "month"), load_default="week")


class CalendarSpan(Strict):
    """A span of the calendar: free (offered and unoccupied), held or blocked; by whom only to the owner."""

    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at")
    kind = OneOf(("free", "held", "blocked"))
    ref = Text(40, allow_none=True)


class Calendar(Strict):
    """The calendar of one car."""

    items = Many(fields.Nested(CalendarSpan), 2000)
