"""What insurers read of bordereaux."""

from marshmallow import fields

from app.kit.fields import Instant, Many, OneOf, PublicIdField, Strict, Text, Whole
from insurance.bordereau import KINDS

MONTH = "^[0-9]{4}-(0[1-9]|1[0-2])$"


class BordereauQuery(Strict):
    """Which of a month's bordereaux: the policy need only be named where one has several."""

    kind = OneOf(KINDS, required=True)
    policy_number = Text(100, load_default=None)


class BordereauOut(Strict):
    """A bordereau that was made; the hashes are those of its files, in hex."""

    id = PublicIdField("bdx", required=True)
    policy_number = Text(100, required=True, attribute="number")
    month = Text(7, required=True, pattern=MONTH)
    kind = OneOf(KINDS, required=True)
    closed_at = Instant(required=True)
    lines = Whole(0, 10**9, required=True)
    csv_sha256 = Text(64, required=True)
    json_sha256 = Text(64, required=True)


class BordereauPage(Strict):
    """Bordereaux, the last one first."""

    items = Many(fields.Nested(BordereauOut), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class BordereauFile(Strict):
    """A bordereau as JSON: what it is of, and a row per line with the same headings as the CSV form."""

    id = PublicIdField("bdx", required=True)
    insurer = PublicIdField("ins", required=True)
    policy_number = Text(100, required=True)
    month = Text(7, required=True, pattern=MONTH)
    kind = OneOf(KINDS, required=True)
    closed_at = Instant(required=True)
    rows = Many(fields.Dict(keys=Text(60), metadata={"maxProperties": 60}), 10**7, required=True)
