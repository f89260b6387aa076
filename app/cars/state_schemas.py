"""What goes out about a car's state, as its box reports it."""

from marshmallow import fields

from app.kit.fields import (
    Flag,
    Instant,
    Many,
    Number,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
)


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
