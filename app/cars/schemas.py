"""What goes in and out about cars, their terms, and who held them."""

from typing import Any

from marshmallow import ValidationError, fields

from app.cars.terms import DEFAULTS
from app.kit.fields import (
    Count,
    Country,
    Day,
    Instant,
    Many,
    MoneyIn,
    MoneySchema,
    Number,
    OneOf,
    Paging,
    PlaceSchema,
    PublicIdField,
    Strict,
    Text,
    Whole,
    Zone,
    line,
)
from app.kit.routes import page_of

POWERTRAIN = ("electric", "plug_in", "hybrid", "petrol", "diesel", "other")
VIN = r"^[A-HJ-NPR-Z0-9]{11,17}$"


class ReturnRule(Strict):
    """Where a rental may end."""

    kind = OneOf(("place", "zone"), required=True)
    radius_m = Whole(50, 5000, required=True)


class ChargeRule(Strict):
    """How charged the car must be at the start, and below what it is plugged in at the end; what becomes of a rental whose
    stated distance is beyond the foreseen range (warned unless `refuse`).
    """

    min_start = Whole(0, 100)
    plug_below = Whole(0, 100)
    distance = OneOf(("warn", "refuse"))


class Car(Strict):
    """The vehicle, as far as the reader may see it."""

    id = PublicIdField("car", dump_only=True)
    owner = PublicIdField("per", dump_only=True, allow_none=True)
    community = PublicIdField("com", allow_none=True)
    plate = line(12, required=True, allow_none=True)
    vin = Text(17, shortest=11, pattern=VIN, required=True, allow_none=True)
    make = line(40, required=True)
    model = line(40, required=True)
    powertrain = OneOf(POWERTRAIN, required=True)
    seats = Whole(1, 9, required=True)
    country = Country(required=True)
    time_zone = Zone(required=True)
    home = fields.Nested(PlaceSchema, required=True)
    return_ = fields.Nested(ReturnRule, data_key="return", attribute="return_", allow_none=True)
    note = Text(500, shortest=0, lines=True, allow_none=True)
    charge_rule = fields.Nested(ChargeRule, allow_none=True)
    yearly_cost = fields.Nested(MoneyIn, allow_none=True)
    first_registration = Day(allow_none=True)
    inspection_until = Day(allow_none=True)
    declared_value = fields.Nested(MoneyIn, allow_none=True)
    state = OneOf(("ready", "no_box", "unsafe"), dump_only=True)


class CarIn(Car):
    """A new car."""

    plate = line(12, required=True)
    vin = Text(17, shortest=11, pattern=VIN, required=True)


class FoundCar(Car):
    """A car in a list: with the total for the span and the distance, where asked."""

    total = fields.Nested(MoneySchema, dump_only=True, allow_none=True)
    distance_km = Number(0, 21000, dump_only=True, allow_none=True)
    through = PublicIdField("com", dump_only=True, allow_none=True)
    fare = OneOf(("free", "at_cost", "priced"), dump_only=True)


FoundCarPage = page_of(FoundCar, "FoundCar")


class Near(fields.String):
    """A point, `lat,lon`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        try:
            lat, lon = (float(part) for part in found.split(","))
        except ValueError as error:
            raise ValidationError("Not a point such as 48.8566,2.3522.") from error
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise ValidationError("Latitude is -90 to 90, longitude -180 to 180.")
        return lat, lon


class CarFilter(Strict):
    """Which cars."""

    near = Near(metadata={"maxLength": 40, "pattern": r"^-?[0-9.]+,-?[0-9.]+$"})
    radius_km = Count(1, 500)
    seats = Count(1, 9)
    powertrain = OneOf(POWERTRAIN)
    range_km = Count(0, 2000)
    fare = OneOf(("free", "at_cost", "priced"))
    community = PublicIdField("com")


class CarQuery(CarFilter, Paging):
    """Which cars, perhaps free for a span."""

    free_from = Instant()
    free_to = Instant()


class OtherTimesQuery(CarFilter):
    """Which cars, and the span in which one is not free."""

    free_from = Instant(required=True)
    free_to = Instant(required=True)
    limit = Count(1, 20, load_default=10)


class OtherTime(Strict):
    """A car, and the span of the same length nearest to the one asked for in which it is free."""

    car = fields.Nested(FoundCar)
    from_ = Instant(data_key="from")
    to = Instant()


class OtherTimes(Strict):
    """The nearest first."""

    items = Many(fields.Nested(OtherTime), 20)


class Share(Strict):
    """A car in a community."""

    car = PublicIdField("car")
    community = PublicIdField("com")
    shared_at = Instant()


class CancellationStep(Strict):
    """Cancelled fewer than `hours_before` hours before the start: `percent` of the rent is owed."""

    hours_before = Whole(0, 8760, required=True)
    percent = Whole(0, 100, required=True)


def _price(**kwargs: Any) -> Whole:
    return Whole(0, 10**8, **kwargs)


class Terms(Strict):
    """Price and rules of a car for a community; prices in minor units; without a currency the loan is free.

    `note` is what the owner adds in their own words, `text` all of it as the reader reads it.
    """

    version = Whole(0, 10**6, dump_only=True)
    currency = OneOf(("EUR", "GBP", "CHF"), allow_none=True)
    hour = _price()
    day_cap = _price(allow_none=True)
    km_included_per_day = Whole(0, 10000)
    per_km = _price()
    minimum = _price()
    late_fee = _price()
    late_grace_min = Whole(0, 1440)
    deposit = _price()
    cleaning = _price()
    refuel = _price()
    per_kwh = _price()
    cancellation = Many(fields.Nested(CancellationStep), 8)
    early_return_percent = Whole(0, 100)
    no_show_min = Whole(15, 1440)
    min_min = Whole(0, 43200)
    max_min = Whole(1, 43200)
    notice_min = Whole(0, 43200)
    buffer_min = Whole(0, 1440)
    extension = OneOf(("ask", "auto"))
    note = Text(2000, shortest=0, lines=True)
    text = Text(6000, lines=True, dump_only=True)


assert set(DEFAULTS) <= set(Terms().fields), "the terms of the contract and of the rules differ"


class CustodyQuery(Strict):
    """An instant, and as of when."""

    at = Instant(required=True)
    as_of = Instant(load_default=None)


class Custody(Strict):
    """Who held the car. With `as_of`, the answer says how far it reaches: at most to what was asked."""

    holder = OneOf(("owner", "driver", "unknown"))
    rental = PublicIdField("ren", allow_none=True)
    first_name = Text(80, allow_none=True)
    from_ = Instant(data_key="from", attribute="from_at", allow_none=True)
    to = Instant(attribute="to_at", allow_none=True)
    as_of = Instant(allow_none=True)
