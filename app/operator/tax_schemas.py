"""What everybody earned in a year, as the tax office asks for it."""

from marshmallow import fields

from app.kit.fields import (
    Country,
    Day,
    Instant,
    Many,
    MoneySchema,
    OneOf,
    Strict,
    Text,
    Whole,
)


class TaxQuarter(Strict):
    """What was credited in a quarter, less what was taken back, in one currency.

    `consideration` is the owner's part of the rent and `activities` the rentals it was for; `fees` is what the platform
    took, `taxes` the tax in it, `premiums` the insurer's share. `compensation` came of charge requests and is no rent.
    """

    quarter = Whole(1, 4)
    consideration = fields.Nested(MoneySchema)
    activities = Whole(0, 10**9)
    fees = fields.Nested(MoneySchema)
    taxes = fields.Nested(MoneySchema)
    premiums = fields.Nested(MoneySchema)
    compensation = fields.Nested(MoneySchema)


class TaxOwner(Strict):
    """Somebody who earned, a person or a community, with what is known of them and the names of what is missing."""

    owner = Text(40, pattern=r"^(per|com)_[0-9a-f]{32}$", metadata={"example": "per_" + "0" * 32})
    kind = OneOf(("person", "community"))
    name = Text(160, allow_none=True)
    address = Text(300, allow_none=True, lines=True)
    country = Country(allow_none=True)
    birth_date = Day(allow_none=True)
    birth_place = Text(120, allow_none=True)
    tin = Text(40, allow_none=True)
    tin_country = Text(2, allow_none=True)
    vat_number = Text(20, allow_none=True)
    account = Text(42, allow_none=True)
    registration_number = Text(60, allow_none=True)
    missing = Many(
        OneOf(("name", "address", "birth_date", "tin", "legal_name", "country", "registration_number")), 7
    )
    quarters = Many(fields.Nested(TaxQuarter), 12)


class TaxReport(Strict):
    """Everybody who earned in a calendar year."""

    year = Whole(2020, 2200)
    made_at = Instant()
    owners = Many(fields.Nested(TaxOwner), 1_000_000)
