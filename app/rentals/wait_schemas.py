"""What goes in and out about the waiting list."""

from marshmallow import ValidationError, fields, validates_schema

from app.kit.fields import Instant, OneOf, PublicIdField, Strict
from app.kit.routes import page_of


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
