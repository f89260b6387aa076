"""What goes in and out at a car's door: readiness, the lock, and commands to the box."""

from marshmallow import fields

from app.kit.fields import (
    Flag,
    Instant,
    Many,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
)
from app.kit.routes import page_of

COMMAND_STATE = ("created", "sent", "confirmed", "refused", "unknown", "dead", "reconciled")
CONDITION = (
    "state",
    "time",
    "car_back",
    "other_rental",
    "membership",
    "licence",
    "accepted",
    "phone",
    "payment",
    "cover",
    "command",
    "box",
    "capability",
    "charge",
    "photos",
    "safe",
    "clock",
    "doors",
    "ignition",
    "keys",
    "place",
    "plugged",
    "battery_12v",
    "reachable",
)


class StepQuery(Strict):
    """Which step."""

    step = OneOf(("unlock", "lock"), required=True)


class Condition(Strict):
    """One thing that must be so, and what to do when it is not."""

    code = OneOf(CONDITION)
    met = Flag()
    blocking = Flag()
    observed_at = Instant(allow_none=True)
    remedy = Text(300, allow_none=True)


class Readiness(Strict):
    """Whether a step would be let through now."""

    ready = Flag()
    at = Instant()
    conditions = Many(fields.Nested(Condition), 30)


class Command(Strict):
    """A command to the box."""

    id = PublicIdField("cmd")
    rental = PublicIdField("ren", allow_none=True)
    kind = OneOf(("unlock", "lock", "charge_start", "charge_stop", "charge_limit", "climate", "ping"))
    state = OneOf(COMMAND_STATE)
    evidence = OneOf(("strong", "weak"), allow_none=True)
    expires_at = Instant()
    settled_at = Instant(allow_none=True)
    conditions = Many(fields.Nested(Condition), 30)
    problem = Text(40, allow_none=True)
    ask = Text(200, allow_none=True)


CommandPage = page_of(Command, "Command")


class CommandIn(Strict):
    """A command outside the steps of a rental."""

    kind = OneOf(
        ("unlock", "lock", "charge_start", "charge_stop", "charge_limit", "climate", "ping"), required=True
    )
    value = Whole(0, 100)


class LockIn(Strict):
    """What the driver states when locking for good."""

    keys_in_glove_box = Flag(required=True)
    plugged_in = Flag()
