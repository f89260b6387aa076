"""What a person pays a new rental with, and whether older ones are open: one look, since each booking asks it."""

from sqlalchemy import bindparam, exists, select

from app.billing import cards
from app.billing.models import Payment
from app.billing.states import State
from app.kit.db import PublicId, bare
from app.kit.driver import plain
from payments.money import Money

_OWES = (
    Payment.person_id == bindparam("person", type_=PublicId("per")),
    Payment.owed > 0,
    Payment.bar_lifted_at.is_(None),
    (Payment.state == State.ARREARS.value)
    | (Payment.state == State.ACTION_REQUIRED.value)
    | (Payment.receivable > 0)
    | Payment.written_off_at.is_not(None),
)
"""The payments that are a person's arrears: giving up the money does not give up the bar, nor does trying once more."""
_ARREARS = select(Payment.currency, Payment.owed).where(*_OWES).order_by(Payment.id)
_LOOK = cards.CHARGEABLE.add_columns(exists().where(*_OWES).label("owes"))


def of(person: str, card: str | None) -> tuple[Money | None, str | None]:
    """What they owe, else the card that can be charged: the one named or the latest."""
    rows = plain(_LOOK, {"person": bare(person, "per")})
    if not rows or rows[0].owes:
        return arrears(person), cards.usable(person, card)
    return None, cards.first_usable(rows, card) or cards.usable(person, card)


def arrears(person: str) -> Money | None:
    """What the person owes for rentals that are over and could not be charged; None when nothing."""
    rows = plain(_ARREARS, {"person": bare(person, "per")})
    if not rows:
        return None
    currency = rows[0].currency
    return Money(sum(row.owed for row in rows if row.currency == currency), currency)
