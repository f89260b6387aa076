"""Holding money for a rental: planned with the booking, held a day before the start, told apart by state."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from app import facts
from app.billing import advance, cards, commands, deposit
from app.billing.advance import Ask
from app.billing.models import Payment
from app.billing.state_table import Event
from app.billing.states import APART, DEPOSIT, NONE, SECURED, UNSECURED_BY_URGENCY, WAITING, State
from app.kit import clock, deadlines
from app.kit.db import PublicId, in_transaction, new_id, session, transactional
from app.kit.deadlines import Due
from app.kit.errors import CardNeeded, NotFound, StepNotAllowed, Unavailable
from app.kit.facts import record
from payments.money import Money
from payments.split import ShareTable

AHEAD = timedelta(hours=24)
_ALL = (
    select(Payment)
    .where(Payment.rental_id == bindparam("rental", type_=PublicId("ren")))
    .order_by(Payment.id)
)
_ALL_SHARED = _ALL.with_for_update(read=True).execution_options(populate_existing=True)
ON_HOLD_IMPOSSIBLE: list[Callable[[str], None]] = []
"""Who must know that a rental cannot be paid (its id), to cancel it where it is only booked; the factory fills it."""


@transactional
def plan(
    *,
    rental: str,
    driver: str,
    payee: str,
    community: str | None,
    amount: Money,
    starts_at: datetime,
    card: str,
    on_session: bool,
    shares: ShareTable | None = None,
    deposited: Money | None = None,
) -> list[Due]:
    """Plan the holds of a booked rental: now when it starts within 24 h, else a day before. Free: nothing at all.

    Returns the deadlines that the caller sets for them, beside its own. `amount` is the quote plus the allowance of the
    terms, `deposited` the deposit, `payee` the person or community that is paid, `card` what `cards.usable` gave;
    `on_session`: the driver is in the app and may confirm. `shares` is who gets what of the rent, as frozen with the quote.
    """
    wanted = [(purpose, money) for purpose, money in ((DEPOSIT, deposited), ("rent", amount)) if money]
    if not wanted:
        return []
    due = starts_at - AHEAD
    at_once = due <= clock.now()
    present = on_session and at_once
    rows = [
        _row(purpose, rental, driver, payee, community, money, starts_at, card, on_session=present)
        for purpose, money in wanted
    ]
    for row in rows:
        row.shares = shares.to_dict() if shares is not None and row.purpose == "rent" else None
    session.add_all(rows)
    session.info.setdefault("planned", {})[rental] = rows
    if not at_once:
        return [Due("hold", row.id, due) for row in rows]
    session.flush()
    for row in rows:
        advance.befalls(row, Event.HOLD, Ask(off_session=not on_session))
    return []


def _row(
    purpose: str,
    rental: str,
    driver: str,
    payee: str,
    community: str | None,
    amount: Money,
    starts_at: datetime,
    card: str,
    *,
    on_session: bool,
) -> Payment:
    now = clock.now()
    return Payment(
        id=new_id("pay"),
        rental_id=rental,
        person_id=driver,
        community_id=community,
        payee=payee,
        card_id=card,
        purpose=purpose,
        state=State.HOLD_DUE,
        currency=amount.currency,
        amount=amount.to_hold().amount,
        starts_at=starts_at,
        on_session=on_session,
        made_at=now,
        changed_at=now,
    )


def of(rental: str) -> Payment | None:
    """The rent payment of a rental; None when it is free."""
    return session.scalar(select(Payment).where(Payment.rental_id == rental, Payment.purpose == "rent"))


def all_of(rental: str, *, share_lock: bool = False) -> Sequence[Payment]:
    """Every payment of a rental, oldest first; right after `plan`, in its transaction, there is but what it made."""
    planned: list[Payment] | None = session.info.get("planned", {}).get(rental) if in_transaction() else None
    if planned is not None:
        return planned
    return session.scalars(_ALL_SHARED if share_lock else _ALL, {"rental": rental}).all()


def standing(rental: str) -> str:
    """How what the rental costs stands, see `standing_of`."""
    return standing_of(all_of(rental))


def rent_standing(found: Sequence[Payment]) -> str:
    """How the rent alone stands: an extension that is not secured yet takes nothing from what is paid."""
    return standing_of([row for row in found if row.purpose == "rent"])


def standing_of(found: Sequence[Payment]) -> str:
    """Give "none" when free, "held" or "captured" when every planned intent is, else the state that is most in the way.

    An extension's intent that was given back no longer counts, nor do the deposit and what a charge request came to.
    """
    rows = [
        row
        for row in found
        if row.purpose == "rent"
        or (row.purpose not in APART and row.state not in (State.RELEASED, State.RELEASING))
    ]
    if not rows:
        return NONE
    states = {_stands(row) for row in rows}
    if states <= SECURED:
        return State.CAPTURED if states == {State.CAPTURED} else State.HELD
    return next(one for one in UNSECURED_BY_URGENCY if one in states)


def _stands(row: Payment) -> State:
    """Its state; what is being taken while the rental goes on lies held until it is taken."""
    taken_early = row.state == State.CAPTURING and row.owed is None
    return State.HELD if taken_early else State(row.state)


@transactional
def wake(rental: str) -> None:
    """Unlock was asked without a hold: have it made now where it is due."""
    for row in all_of(rental):
        if row.state in (State.HOLD_DUE, State.HOLDING) and row.starts_at - AHEAD <= clock.now():
            due_hold(row.id)
            commands.work(row.id)


@transactional
def raise_amount(rental: str, amount: Money) -> str:
    """An extension of a rental that has a payment: `amount` is held besides, at least what a card can be asked for;
    returns the new payment's id.

    `standing` says "held" again once this one is held too; when it fails, the usual facts tell, and `drop_raise` gives it
    back.
    """
    first = of(rental)
    assert first is not None
    assert first.card_id is not None
    row = _row(
        "extras",
        rental,
        first.person_id,
        first.payee,
        first.community_id,
        amount,
        first.starts_at,
        first.card_id,
        on_session=True,
    )
    row.shares = first.shares
    session.add(row)
    session.flush()
    session.info.get("planned", {}).pop(rental, None)
    if first.state == State.HOLD_DUE:
        deadlines.at("hold", row.id, row.starts_at - AHEAD)
    else:
        advance.befalls(row, Event.HOLD, Ask(off_session=False))
    return row.id


@transactional
def drop_raise(payment: str) -> None:
    """The extension is not to be: give its hold back."""
    row = commands.lock(payment)
    if row.purpose == "extras" and row.owed is None:
        row.owed = 0
        advance.next_step(row)


RETRYABLE = (*WAITING, State.ARREARS, State.WRITTEN_OFF)


@transactional
def retry(payment: str, card: str | None, by: str) -> Payment:
    """A new attempt with a new key, on this or another card: a hold, or the charge of what is owed.

    Raises NotFound, StepNotAllowed, CardNeeded.
    """
    row = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.state not in RETRYABLE or row.owed == 0:
        raise StepNotAllowed("This payment waits for nothing.", state=row.state, steps=[])
    usable = cards.usable(row.person_id, card)
    if usable is None:
        raise CardNeeded("Save a card that is still valid first.")
    row.card_id = usable
    event = Event.HOLD if row.owed is None else Event.CHARGE
    advance.befalls(row, event, Ask(off_session=by != row.person_id, by=by))
    return row


# -- deadlines -------------------------------------------------------------------------------------------------------


@transactional
def due_hold(payment: str) -> None:
    """Deadline "hold": a day before the start."""
    row = commands.lock(payment)
    if row.state == State.HOLD_DUE and row.owed is None:
        advance.befalls(row, Event.HOLD)


@transactional
def due_hold_failed(payment: str) -> None:
    """Deadline "hold_failed": the driver has done nothing, so the rental (or the extension) cannot be paid.

    The hook takes car and rental locks, which come before ours: the payment is read first, locked last. What was
    held meanwhile undoes all of it, and the deadline finds nothing to do the next time.
    """
    row = session.get(Payment, payment, populate_existing=True)
    if row is None or row.state not in WAITING or row.owed is not None:
        return
    rental = row.rental_id
    if row.purpose in ("rent", DEPOSIT):
        for tell in ON_HOLD_IMPOSSIBLE:
            tell(rental)
    row = commands.lock(payment)
    if row.state not in WAITING or row.rental_id != rental:
        raise Unavailable("The payment has moved meanwhile.")
    if row.purpose != "rent" and row.owed is None:
        row.owed = 0
        advance.next_step(row)
        if row.purpose != DEPOSIT:  # what is not held any more is no news, the cancellation tells of itself
            record(facts.PaymentFailed(row.id, row.rental_id, "not_confirmed"))


@transactional
def due_renewal(payment: str) -> None:
    """Deadline "hold_renew": the bank lets the hold go in 12 h and it is still needed: hold anew first."""
    row = commands.lock(payment)
    if row.state != State.HELD or row.owed is not None:
        return
    if deposit.is_needed_longer(row):
        advance.befalls(row, Event.RENEW)
    else:
        deposit.let_go_in_time(row)


@transactional
def due_dunning(payment: str) -> None:
    """Deadline "dunning": try a charge again that the bank had refused for now."""
    row = commands.lock(payment)
    if row.state == State.ARREARS and row.owed:
        advance.befalls(row, Event.CHARGE)
