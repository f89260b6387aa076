"""A charge after the rental, settled by a hearing: the driver's card without the driver, then dunning as for any other."""

from datetime import datetime

from app.billing import advance, cards, hold
from app.billing.models import Payment
from app.billing.state_table import Event
from app.billing.states import CHARGE_REQUEST, State
from app.facts import PaymentFailed
from app.kit import clock
from app.kit.db import new_id, session, transactional
from app.kit.facts import record
from payments.money import Money


@transactional
def charge_extra(
    *, rental: str, driver: str, payee: str, community: str | None, amount: Money, starts_at: datetime
) -> str | None:
    """Charge the whole amount for the payee; returns the payment's id. The caller holds what makes it happen once.

    The rental's card, else the latest that can be charged; without any it is arrears from the start. None where it is too
    little to be charged: it is waived.
    """
    if amount.is_too_little:
        return None
    card = _card(rental, driver)
    now = clock.now()
    row = Payment(
        id=new_id("pay"),
        rental_id=rental,
        person_id=driver,
        community_id=community,
        payee=payee,
        card_id=card,
        purpose=CHARGE_REQUEST,
        state=State.HOLD_DUE,
        currency=amount.currency,
        amount=amount.amount,
        owed=amount.amount,
        starts_at=starts_at,
        on_session=False,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    if card is None:
        row.failure_code, row.failure_hard = "card_needed", True
        advance.befalls(row, Event.NO_CARD)
        record(PaymentFailed(row.id, rental, "card_needed"))
    else:
        advance.befalls(row, Event.CHARGE)
    return row.id


def _card(rental: str, driver: str) -> str | None:
    first = hold.of(rental)
    named = cards.usable(driver, first.card_id) if first is not None else None
    return named or cards.usable(driver, None)
