"""What goes in and out about damages."""

from app.kit.fields import Flag, Instant, Many, OneOf, PublicIdField, Strict, Text
from app.kit.routes import page_of
from app.rentals import damages


class DamageIn(Strict):
    """What is to be written down."""

    part = OneOf(damages.PARTS, required=True)
    text = Text(1000, lines=True, required=True)
    photos = Many(PublicIdField("pic"), damages.MOST_PHOTOS)
    unsafe = Flag()


class DamageOut(Strict):
    """What is wrong with a car. `seen` tells when: by its owner, before or after the unlock of a rental; which rental is
    shown to the owner, and to its driver. `text` is null once whoever wrote it was erased.
    """

    id = PublicIdField("dmg", dump_only=True)
    part = OneOf(damages.PARTS)
    text = Text(1000, lines=True, allow_none=True)
    photos = Many(PublicIdField("pic"), damages.MOST_PHOTOS)
    unsafe = Flag()
    state = OneOf(("open", "repaired"))
    seen = OneOf(("by_owner", "before_unlock", "after_unlock"), dump_only=True)
    rental = PublicIdField("ren", dump_only=True, allow_none=True)
    made_at = Instant(dump_only=True)
    repaired_at = Instant(dump_only=True, allow_none=True)


DamagePage = page_of(DamageOut, "Damage")
