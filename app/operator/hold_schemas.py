"""What operators read of who somebody is."""

from app.kit.fields import Day, Instant, PublicIdField, Strict, Text


class IdentityOut(Strict):
    """Whether it is kept, for what, and who it is where that was asked."""

    person = PublicIdField("per", required=True)
    erased_at = Instant(allow_none=True, required=True)
    kept_until = Instant(allow_none=True, required=True)
    held_for = Text(500, allow_none=True, required=True)
    held_since = Instant(allow_none=True, required=True)
    name = Text(80)
    birth_date = Day(allow_none=True)
    address = Text(500, allow_none=True)
    licence = Text(60, allow_none=True)
