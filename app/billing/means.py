"""What a person pays a new rental with, and whether older ones are open: one look, since each booking asks it."""

from sqlalchemy import exists

from app.billing import cards, hold
from app.kit.db import bare
from app.kit.driver import plain
from payments.money import Money

_LOOK = cards.CHARGEABLE.add_columns(exists().where(*hold.OWES).label("owes"))


def of(person: str, card: str | None) -> tuple[Money | None, str | None]:
    """What they owe, else the card that can be charged: the one named or the latest."""
    rows = plain(_LOOK, {"person": bare(person, "per")})
    if not rows or rows[0].owes:
        return hold.arrears(person), cards.usable(person, card)
    return None, cards.first_usable(rows, card) or cards.usable(person, card)
