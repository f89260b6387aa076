"""What a rental's end means for its payments: captured as far as held, the rest charged, what is not owed freed."""

from sqlalchemy import select

from app import facts
from app.billing import advance, deposit, transfer
from app.billing.models import Payment
from app.billing.states import APART, TAKEN, State
from app.kit import clock
from app.kit.db import session, transactional
from payments.money import Money


@transactional
def settle_end(rental: str, total: Money, *, energy: Money | None = None) -> None:
    """Write on the payments what is owed for the rental, in the transaction that ends it; nothing is asked yet.

    As much of the total as is `energy` will be the payee's undivided.

    Told again with another total (a later record of the box corrects the end), the difference is charged or refunded.
    """
    again = any(row.owed is not None for row in _locked(rental))
    owe(rental, total.amount, energy=energy.amount if energy is not None else None)
    if again:
        _step_all(rental)


def owe(rental: str, total: int, *, energy: int | None = None) -> None:
    """Share what is owed among the payments: the rent first, then each extra, then a new one for the rest.

    What of it is energy (None: as it was) is counted to the first that bring something. A last part that is too little to
    be charged is waived.
    """
    rows = _locked(rental)
    left = total
    passed_on = sum(row.energy for row in rows) if energy is None else energy
    for row in rows:
        row.owed = _brings(row, left)
        left -= row.owed
        row.energy = min(passed_on, row.owed)
        passed_on -= row.energy
        row.changed_at = clock.now()
    if left and rows and not rows[0].money(left).is_too_little:
        advance.further(rows[0], left, min(passed_on, left))
    session.flush()


def _locked(rental: str) -> list[Payment]:
    """The payments that bring the rental's price; deposit and charge requests are settled by themselves."""
    found = (
        select(Payment)
        .where(Payment.rental_id == rental, Payment.purpose.not_in(APART))
        .order_by(Payment.purpose.desc(), Payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(found))


def _brings(row: Payment, left: int) -> int:
    """How much of it this payment is to bring. Of what is taken any part can stay; else it can be too little to take."""
    part = min(left, _room(row))
    return 0 if row.state not in TAKEN and row.money(part).is_too_little else part


def _room(row: Payment) -> int:
    """How much this payment can still bring: an intent that is closed brings no more than it took."""
    if row.state in (State.RELEASED, State.RELEASING):
        return 0
    if row.state in TAKEN:
        return advance.brought(row)
    if row.state == State.CAPTURING and row.owed is not None:
        return row.owed
    return row.amount


# -- reactions -------------------------------------------------------------------------------------------------------


def on_ended(fact: facts.RentalEnded) -> None:
    """RentalEnded: take what was written down with the end; the deposit is kept a while."""
    _take(fact.rental, fact.total or 0)
    deposit.rental_over(fact.rental, clock.now())


def on_cancelled(fact: facts.RentalCancelled) -> None:
    """RentalCancelled: take the share that is owed, free the rest."""
    _take(fact.rental, fact.owed)
    deposit.rental_off(fact.rental)


def on_no_show(fact: facts.RentalNoShow) -> None:
    """RentalNoShow: as a cancellation."""
    _take(fact.rental, fact.owed)
    deposit.rental_off(fact.rental)


def on_dropped(fact: facts.RentalDeclined | facts.RentalWithdrawn | facts.RentalLapsed) -> None:
    """RentalDeclined, RentalWithdrawn, RentalLapsed: it never came about, all is freed."""
    _take(fact.rental, 0)
    deposit.rental_off(fact.rental)


def _take(rental: str, total: int) -> None:
    """`total` counts only where the end has not written what is owed."""
    if any(row.owed is None for row in _locked(rental)):
        owe(rental, total)
    _step_all(rental)


def _step_all(rental: str) -> None:
    for row in _locked(rental):
        advance.next_step(row)
        if row.captured:  # before the end: its owner's share waited for it
            transfer.plan(row.id)
