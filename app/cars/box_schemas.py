"""What goes in and out about a car's box, and a car that was stolen."""

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

BASE64URL = r"^[A-Za-z0-9_-]+$"


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
