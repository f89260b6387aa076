"""What is asked and said of the price of a rental before it is booked."""

from marshmallow import ValidationError, fields, validates_schema

from app.cars.schemas import CancellationStep
from app.kit.fields import (
    Count,
    Instant,
    Many,
    MoneySchema,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
)


class QuoteIn(Strict):
    """Ask for the price of a span of a car, or of a later end of a rental."""

    car = PublicIdField("car")
    rental = PublicIdField("ren")
    from_ = Instant(data_key="from")
    to = Instant(required=True)
    community = PublicIdField("com")
    expected_km = Whole(0, 10000)

    @validates_schema
    def one_of_two(self, data: dict[str, object], **_: object) -> None:
        """A span of a car needs car and from; an extension needs only the rental."""
        if "rental" in data:
            if "car" in data or "from_" in data:
                raise ValidationError("An extension names only rental and to.", "rental")
            return
        for name, key in (("car", "car"), ("from_", "from")):
            if name not in data:
                raise ValidationError("Missing data for required field.", key)


class Line(Strict):
    """One line of a price."""

    code = Text(40)
    quantity = Whole(-(10**9), 10**9)
    unit = Text(20)
    amount = fields.Nested(MoneySchema)


class Shares(Strict):
    """Who gets what of an amount; contained in it, and together all of it. `vat` is in the platform's service.

    `vat_rate` in hundredths of a percent.
    """

    owner = fields.Nested(MoneySchema)
    insurer = fields.Nested(MoneySchema)
    platform = fields.Nested(MoneySchema)
    vat = fields.Nested(MoneySchema)
    vat_rate = Whole(0, 10000)


class ConditionsLink(Strict):
    """A version of conditions and where to read it."""

    version = Text(60)
    url = fields.String(metadata={"format": "uri-reference", "maxLength": 200})


class QuoteWarning(Strict):
    """What speaks against a quote without forbidding it."""

    code = OneOf(("range",))
    limit = Whole(0, 10000)
    text = Text(300)


class Quote(Strict):
    """The itemised price of one rental, frozen for 15 minutes."""

    id = PublicIdField("quo")
    car = PublicIdField("car")
    rental = PublicIdField("ren", allow_none=True)
    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at")
    community = PublicIdField("com")
    expected_km = Whole(0, 10000, allow_none=True)
    warnings = Many(fields.Nested(QuoteWarning), 5)
    fare = OneOf(("free", "at_cost", "priced"))
    lines = Many(fields.Nested(Line), 100)
    total = fields.Nested(MoneySchema)
    shares = fields.Nested(Shares, allow_none=True)
    per_kwh = fields.Nested(MoneySchema, allow_none=True)
    hold = fields.Nested(MoneySchema)
    deposit = fields.Nested(MoneySchema)
    terms_version = Whole(0, 10**6)
    terms_text = Text(6000, lines=True)
    cancellation = Many(fields.Nested(CancellationStep), 8)
    conditions = Many(fields.Nested(ConditionsLink), 10)
    expires_at = Instant()


class EarningsQuery(Strict):
    """Which year; the present one where none is named."""

    year = Count(2020, 2199)


class Earnings(Strict):
    """What a car has brought in a calendar year, against the cost its owner states; energy apart, before shares.

    `covered`: rentals at cost pay energy alone until the year ends. `not_stated`: they do in any case.
    """

    car = PublicIdField("car")
    year = Whole(2020, 2199)
    state = OneOf(("open", "covered", "not_stated"))
    stated = fields.Nested(MoneySchema, allow_none=True)
    earned = fields.Nested(MoneySchema)
    promised = fields.Nested(MoneySchema)
    left = fields.Nested(MoneySchema)
