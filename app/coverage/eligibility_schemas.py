"""What insurers ask whether it could be insured, and the answer."""

from marshmallow import fields

from app.cars.schemas import POWERTRAIN
from app.coverage.partner_schemas import MasterPolicyRef
from app.kit.fields import (
    Country,
    Day,
    Flag,
    Many,
    MoneyIn,
    MoneySchema,
    OneOf,
    SpanSchema,
    Strict,
    Text,
    Whole,
    Zone,
)
from insurance.master_policy import CLEARANCE_RANK


class DriverIn(Strict):
    """What the rules look at in a driver."""

    birth_date = Day(required=True, allow_none=True)
    licence_classes = Many(Text(3), 9, required=True)
    licence_issued_on = Day(required=True)
    licence_expires_on = Day(required=True)
    cleared_by = OneOf(tuple(CLEARANCE_RANK), load_default=None, allow_none=True)
    accepted = Many(Text(80), 20, load_default=list)


class CarFactsIn(Strict):
    """What the rules look at in a car."""

    powertrain = OneOf(POWERTRAIN, required=True)
    time_zone = Zone(required=True)
    declared_value = fields.Nested(MoneyIn, load_default=None, allow_none=True)
    has_immobiliser = Flag(load_default=False)
    inspection_until = Day(load_default=None, allow_none=True)


class EligibilityIn(Strict):
    """Would this be bound? Nothing is stored."""

    country = Country(required=True)
    driver = fields.Nested(DriverIn, required=True)
    car = fields.Nested(CarFactsIn, required=True)
    span = fields.Nested(SpanSchema, required=True)
    expected_km = Whole(0, 10**5, load_default=None, allow_none=True)


class EligibilityOut(Strict):
    """Whether it would be bound, under which policy it was judged, and what the cover of that span would cost.

    `premium` is null where it is charged per kilometre and `expected_km` was not given.
    """

    eligible = Flag(required=True)
    reasons = Many(Text(60), 40, required=True)
    max_named_drivers = Whole(0, 9, required=True)
    master_policy = fields.Nested(MasterPolicyRef, allow_none=True)
    premium = fields.Nested(MoneySchema, allow_none=True)
