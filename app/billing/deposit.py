"""A deposit after its hold: kept for a look at the car, given back, or taken by a charge request for damage.

It is held, confirmed and renewed by the same steps as the rent. `owed` is None while it is kept; deciding writes what is
owed of it, nothing or what a hearing came to, and the steps of every payment do the rest.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from app import facts
from app.billing import advance
from app.billing.models import Payment
from app.billing.outcome import RENEW_BEFORE
from app.billing.states import DEPOSIT, SECURED
from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.kit.facts import record

INSPECTION = timedelta(hours=48)
"""How long after the lock the owner may find a damage for which the deposit is kept. A figure of the product."""
LONGEST_HEARING = timedelta(days=30)
"""So long after the inspection it is kept for a hearing that has not come to its end. A figure of the product: three days
to answer and two weeks to appeal leave an operator two weeks for both decisions."""
IN_HEARING: list[Callable[[str], bool]] = []
"""Whether a charge request for damage against a rental (its id) is open; the factory fills it."""


def among(rows: Sequence[Payment]) -> Payment | None:
    """The deposit among a rental's payments."""
    return next((row for row in rows if row.purpose == DEPOSIT), None)


def is_held(rows: Sequence[Payment]) -> bool:
    """The deposit among a rental's payments is secured, or none was agreed on."""
    row = among(rows)
    return row is None or row.state in SECURED


def rental_over(rental: str, at: datetime) -> None:
    """The car is known to be back: kept for the inspection where it is held; what is not held is not asked for any more."""
    row = _locked(rental)
    if row is None or row.owed is not None or row.inspect_until is not None:
        return
    row.inspect_until = at + INSPECTION
    if row.state in SECURED:
        deadlines.at("deposit", row.id, row.inspect_until)
    else:
        _free(row)


def rental_off(rental: str) -> None:
    """The rental never took place: nothing is kept."""
    row = _locked(rental)
    if row is not None and row.owed is None:
        _free(row)


@transactional
def due(payment: str) -> None:
    """Deadline "deposit": the inspection is over. Given back, unless a hearing goes on that may take of it, and in time."""
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if row is None or row.owed is not None or row.inspect_until is None:
        return
    if not _is_heard(row.rental_id):
        _free(row)
    elif clock.now() >= _kept_until(row):
        record(facts.DepositLetGo(row.id, row.rental_id))
        _free(row)
    else:
        deadlines.at("deposit", row.id, _kept_until(row))
        if row.capture_before is not None:
            # a renewal that the inspection alone did not need may have been let go by
            deadlines.at("hold_renew", row.id, row.capture_before - RENEW_BEFORE)


def let_go_in_time(row: Payment) -> None:
    """It is not held anew: a hearing that has had its time is told of now, before the bank lets it go unsaid."""
    if row.inspect_until is not None and clock.now() >= _kept_until(row):
        due(row.id)


def _kept_until(row: Payment) -> datetime:
    """How long a hearing may keep it."""
    assert row.inspect_until is not None
    return row.inspect_until + LONGEST_HEARING


def hearing_begins(rental: str) -> None:
    """Damage is asked for, in the caller's transaction: an inspection that ends meanwhile waits, and sees the hearing."""
    _locked(rental)


def hearing_over(rental: str) -> None:
    """A hearing came to its end without taking the deposit: given back, once the inspection is over and no other is open.

    The lock comes before the look, so that of two hearings that end at once the later sees the other's end.
    """
    row = _locked(rental)
    if row is None or row.owed is not None or row.inspect_until is None:
        return
    if clock.now() >= row.inspect_until and not _is_heard(rental):
        _free(row)


def take(rental: str, amount: int) -> tuple[str | None, int]:
    """Take that much of the deposit, as far as it goes: the payment's id, and what it does not bring.

    None where nothing is held, or a hearing has taken of it before: one capture frees the rest; or where it is too little
    to be taken.
    """
    row = _locked(rental)
    if row is None or row.owed is not None or row.state not in SECURED:
        return None, amount
    part = min(amount, row.amount)
    if row.money(part).is_too_little:
        return None, amount
    row.owed, row.changed_at = part, clock.now()
    advance.next_step(row)
    return row.id, amount - row.owed


def is_needed_longer(row: Payment) -> bool:
    """Whether the bank lets a hold go before we do: it must be held anew. Rents are needed as long as they are open."""
    if row.inspect_until is None or row.capture_before is None:
        return True
    if row.inspect_until > row.capture_before:
        return True
    return clock.now() < _kept_until(row) and _is_heard(row.rental_id)


def _is_heard(rental: str) -> bool:
    session.flush()
    return any(ask(rental) for ask in IN_HEARING)


def _free(row: Payment) -> None:
    row.owed, row.changed_at = 0, clock.now()
    advance.next_step(row)


def _locked(rental: str) -> Payment | None:
    found = select(Payment).where(Payment.rental_id == rental, Payment.purpose == DEPOSIT).with_for_update()
    return session.scalar(found.execution_options(populate_existing=True))
