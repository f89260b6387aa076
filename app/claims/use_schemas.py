"""How a car was used under a cover, as its insurer reads it."""

from marshmallow import fields

from app.claims.use_models import KINDS
from app.coverage.partner_schemas import SeenAbroad
from app.kit.fields import Flag, Instant, Many, Number, OneOf, PublicIdField, Strict, Text, Whole
from app.messages.tell import snake

_MINUTES = 10**7


class Before(Strict):
    """How the car stood, unused, until it was taken, a week back at most."""

    plugged = Flag(required=True, allow_none=True)
    minutes_above_90_percent = Whole(0, _MINUTES, required=True, allow_none=True)
    hours_read = Whole(0, 10**5, required=True)


class Use(Strict):
    """Battery and kilometres of one cover, from the readings of its hours; minutes are the least it was."""

    charge_start_percent = Number(0, 100, required=True, allow_none=True)
    charge_end_percent = Number(0, 100, required=True, allow_none=True)
    charge_min_percent = Number(0, 100, required=True, allow_none=True)
    minutes_below_10_percent = Whole(0, _MINUTES, required=True, allow_none=True)
    energy_out_wh = Whole(0, 10**7, required=True, allow_none=True)
    km = Whole(0, 10**6, required=True, allow_none=True)
    battery_12v_min = Number(0, 50, required=True, allow_none=True)
    pack_celsius_min = Number(-100, 200, required=True, allow_none=True)
    pack_celsius_max = Number(-100, 200, required=True, allow_none=True)
    hours_read = Whole(0, 10**5, required=True)
    before = fields.Nested(Before, required=True)


class Befell(Strict):
    """What the box told of the car, at an instant of the cover."""

    at = Instant(required=True)
    kind = OneOf(tuple(snake(kind) for kind in KINDS), required=True)
    position = Whole(1, 10**15, required=True)
    doors = Text(100, required=True, allow_none=True)
    wheels = Text(20, required=True, allow_none=True)
    millivolts = Whole(0, 100_000, required=True, allow_none=True)


class CoverUse(Strict):
    """How a car was used under a cover; `use` is null until it is closed."""

    cover = PublicIdField("cov", required=True)
    derived_at = Instant(required=True, allow_none=True)
    use = fields.Nested(Use, required=True, allow_none=True)
    left_territory = Many(fields.Nested(SeenAbroad), 300, required=True)
    befell = Many(fields.Nested(Befell), 10_000, required=True)
