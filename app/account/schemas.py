"""What a person is given of what is kept of them."""

from marshmallow import fields

from app.account.export import SECTIONS
from app.kit.fields import Instant, Many, Strict, Text

MOST = 1_000_000


def _section() -> Many:
    return Many(fields.Dict(keys=Text(60), metadata={"maxProperties": 60}), MOST, required=True)


Export = Strict.from_dict(
    {"made_at": Instant(required=True), **{name: _section() for name in SECTIONS}}, name="Export"
)
Export.__doc__ = "All that is kept of a person, by section."
