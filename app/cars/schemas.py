"""What goes in and out about cars."""

from typing import Any

from marshmallow import ValidationError, fields

from app.cars.terms import DEFAULTS
from app.kit.fields import (
    Count,
    Country,
    Day,
    Flag,
    Instant,
    LocalTime,
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
BASE64URL = r"^[A-Za-z0-9_-]+$"
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


class CarQuery(Paging):
    """Which cars."""

    free_from = Instant()
    free_to = Instant()
    near = Near(metadata={"maxLength": 40, "pattern": r"^-?[0-9.]+,-?[0-9.]+$"})
    radius_km = Count(1, 500)
    seats = Count(1, 9)
    powertrain = OneOf(POWERTRAIN)
    range_km = Count(0, 2000)
    fare = OneOf(("free", "at_cost", "priced"))
    community = PublicIdField("com")


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
    """Price and rules of a car for a community; prices in minor units; without a currency the loan is free."""

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
    text = Text(2000, shortest=0, lines=True)


assert set(DEFAULTS) <= set(Terms().fields), "the terms of the contract and of the rules differ"


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


class PulseIn(Strict):
    """A relay of the box."""

    port = Whole(0, 9, required=True)
    level = Whole(0, 1)
    ms = Whole(50, 10000)


class KeysIn(Strict):
    """The switch in the glove box."""

    port = Whole(0, 9, required=True)
    present_level = Whole(0, 1)


class BoxConfig(Strict):
    """How this car's doors are opened."""

    how = OneOf(("native", "egpio_pulse"))
    pin = Text(16, shortest=4, pattern=r"^([0-9A-Za-z]{4,16}|\*{4})$")
    unlock = fields.Nested(PulseIn)
    lock = fields.Nested(PulseIn)
    keys = fields.Nested(KeysIn)
    optimistic_lock = Flag()


class Capability(Strict):
    """What was seen to work, when, and how well proved."""

    seen_at = Instant()
    evidence = OneOf(("strong", "weak", "none"))


class Credentials(Strict):
    """The box's account at the broker, shown once."""

    username = Text(60)
    password = Text(100)
    vehicle = Text(40)
    config_lines = Many(Text(300), 60)
    qr = fields.String(metadata={"format": "uri", "maxLength": 120000})


class Box(Strict):
    """The connected car box. `companion` is the pairing record of a companion beside it, which checks offline grants."""

    id = PublicIdField("box", dump_only=True)
    kind = OneOf(("ovms", "simulator"), required=True)
    has_immobiliser = Flag(required=True)
    key_sensor = Flag(required=True)
    config = fields.Nested(BoxConfig)
    companion = Text(151, shortest=151, pattern=BASE64URL, load_only=True)
    state = OneOf(("provisioned", "heard"), dump_only=True)
    last_heard_at = Instant(dump_only=True, allow_none=True)
    capabilities = fields.Dict(
        keys=Text(40), values=fields.Nested(Capability), dump_only=True, metadata={"maxProperties": 40}
    )
    unseen = Many(Text(40), 20, dump_only=True)
    has_companion = Flag(dump_only=True)
    grant_issuers = Many(Text(44, pattern=BASE64URL), 2, dump_only=True)
    next_username = Text(60, dump_only=True, allow_none=True)
    warning = Text(500, dump_only=True, allow_none=True)
    credentials = fields.Nested(Credentials, dump_only=True, allow_none=True)


class RotateQuery(Strict):
    """Whether the old account works until the box is heard on the new one (keep), or is dead at once (cut)."""

    old = OneOf(("keep", "cut"), load_default="keep")


class StolenCar(Strict):
    """A car that was reported stolen."""

    car = PublicIdField("car", required=True)
    safe = Flag(required=True)


class FlagReading(Strict):
    """A yes or no, and when the box said so (null: unknown)."""

    value = Flag(allow_none=True)
    at = Instant(allow_none=True)


class NumberReading(Strict):
    """A number, and when the box said so (null: unknown)."""

    value = Number(-1000, 10**7, allow_none=True)
    at = Instant(allow_none=True)


class DoorsReading(Strict):
    """The doors that are open, and when the box said so."""

    value = Many(Text(20), 10, allow_none=True)
    at = Instant(allow_none=True)


class ChargeForecast(Strict):
    """The charge when the next rental begins: likely between `low` and `high`; `needed` by rule and stated distance."""

    at = Instant()
    charge_percent = Number(0, 100)
    low = Number(0, 100)
    high = Number(0, 100)
    range_km = Whole(0, 10000, allow_none=True)
    needed_percent = Number(0, 100, allow_none=True)
    enough = Flag(allow_none=True)


class Alert(Strict):
    """What was told of the car and still stands."""

    cause = OneOf(
        (
            "charge_low",
            "charge_short",
            "not_plugged",
            "battery_12v_low",
            "battery_12v_falling",
            "tyre",
            "door_open",
            "alarm",
            "carried",
        )
    )
    since = Instant()


class Fall12v(Strict):
    """By how many volts the 12 V battery fell while somebody held the car (`rental` null: the owner)."""

    rental = PublicIdField("ren", allow_none=True)
    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at", allow_none=True)
    volts = Number(0, 20)


class Trend12v(Strict):
    """Where the resting voltage is going, and in whose hands it fell within ten days; the owner's alone."""

    volts_per_day = Number(-20, 20, allow_none=True)
    low_in_days = Number(0, 60, allow_none=True)
    falls = Many(fields.Nested(Fall12v), 50)


class CarState(Strict):
    """The car's state as its box reported it; no place."""

    charge_percent = fields.Nested(NumberReading)
    range_km = fields.Nested(NumberReading)
    odometer_km = fields.Nested(NumberReading)
    locked = fields.Nested(FlagReading)
    drivable = fields.Nested(FlagReading)
    plugged = fields.Nested(FlagReading)
    charging = fields.Nested(FlagReading)
    keys_in_glove_box = fields.Nested(FlagReading)
    battery_12v = fields.Nested(NumberReading)
    doors = fields.Nested(DoorsReading)
    charge_kw = fields.Nested(NumberReading)
    charged_since_use = Flag(allow_none=True)
    forecast = fields.Nested(ChargeForecast, allow_none=True)
    battery_12v_trend = fields.Nested(Trend12v, allow_none=True)
    alerts = Many(fields.Nested(Alert), 10)
    last_heard_at = Instant(allow_none=True)


class CalendarQuery(Strict):
    """A span of at most 92 days."""

    from_ = Instant(required=True, data_key="from")
    to = Instant(required=True)


class CalendarSpan(Strict):
    """A span of the calendar: free (offered and unoccupied), held or blocked; by whom only to the owner."""

    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at")
    kind = OneOf(("free", "held", "blocked"))
    ref = Text(40, allow_none=True)


class Calendar(Strict):
    """The calendar of one car."""

    items = Many(fields.Nested(CalendarSpan), 2000)


class CustodyQuery(Strict):
    """An instant."""

    at = Instant(required=True)


class Custody(Strict):
    """Who held the car."""

    holder = OneOf(("owner", "driver", "unknown"))
    rental = PublicIdField("ren", allow_none=True)
    first_name = Text(80, allow_none=True)
    from_ = Instant(data_key="from", attribute="from_at", allow_none=True)
    to = Instant(attribute="to_at", allow_none=True)
