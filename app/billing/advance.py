"""The next step of a payment: what its state and what is owed ask for, as a command. The payment is always locked."""

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, func, select

from app import facts
from app.billing import arrears, commands
from app.billing.models import Payment, PaymentCommand
from app.billing.states import State
from app.kit import clock, deadlines
from app.kit.db import new_id, session
from app.kit.facts import record


def move(payment: Payment, state: State) -> None:
    """Put it into a state, and tell whoever waits."""
    payment.state, payment.changed_at = state, clock.now()
    arrears.in_the_books(payment)
    commands.tell_waiters(payment)


def hold(payment: Payment, *, off_session: bool, by: str = commands.SYSTEM) -> None:
    """A new attempt to hold the whole amount."""
    _forget_failure(payment)
    deadlines.drop(payment.id, "hold")
    move(payment, State.HOLDING)
    commands.attempt(payment, "hold", payment.money(payment.amount), off_session=off_session, by=by)


def renew(payment: Payment) -> None:
    """Hold anew while the old hold still stands."""
    move(payment, State.RENEWING)
    commands.attempt(payment, "hold", payment.money(payment.amount), off_session=True)


def charge(payment: Payment, *, off_session: bool, by: str = commands.SYSTEM) -> None:
    """A new attempt to take what is owed at once, without a hold."""
    _forget_failure(payment)
    deadlines.drop(payment.id, "hold", "dunning")
    move(payment, State.CAPTURING)
    commands.attempt(payment, "charge", payment.money(payment.owed or 0), off_session=off_session, by=by)


def capture(payment: Payment, amount: int) -> None:
    """Take this much of the hold."""
    assert payment.intent_id is not None
    move(payment, State.CAPTURING)
    commands.step(payment, "capture", payment.money(amount), payment.intent_id)


def drop_attempt(payment: Payment) -> None:
    """The present intent is not to be used any more."""
    if payment.intent_id is not None:
        commands.step(payment, "release", None, payment.intent_id)
        payment.intent_id = None
        payment.charge_id = None


def next_step(payment: Payment) -> None:
    """What is owed decides; nothing happens while a command is under way or the rental is still open."""
    if payment.owed is not None:
        step = _STEPS.get(State(payment.state))
        if step is not None:
            step(payment, payment.owed)
    session.flush()


def _not_held(payment: Payment, owed: int) -> None:
    """Nothing is held: charge what is owed, or be done."""
    deadlines.drop(payment.id)
    drop_attempt(payment)
    if owed:
        charge(payment, off_session=True)
    else:
        _forget_failure(payment)
        move(payment, State.RELEASED)


def _waiting(payment: Payment, owed: int) -> None:
    if owed and charges(payment):
        return
    _not_held(payment, owed)


def charges(payment: Payment) -> bool:
    """The present attempt takes money at once, rather than holding it."""
    attempt = session.get(PaymentCommand, payment.attempt_id) if payment.attempt_id else None
    return attempt is not None and attempt.kind == "charge"


def _held(payment: Payment, owed: int) -> None:
    assert payment.intent_id is not None
    deadlines.drop(payment.id)
    if owed:
        capture(payment, min(owed, payment.amount))
    else:
        move(payment, State.RELEASING)
        commands.step(payment, "release", None, payment.intent_id)


def step_again(payment: Payment, amount: int | None) -> None:
    """The capture (of that much) or release of the present intent was refused, and it still holds the money."""
    if payment.state == State.CAPTURING and payment.owed is None:
        capture(payment, amount or payment.amount)
    elif payment.state in (State.CAPTURING, State.RELEASING):
        _held(payment, payment.owed or 0)


def _arrears(payment: Payment, owed: int) -> None:
    if owed:
        arrears.in_the_books(payment)
    else:
        _not_held(payment, 0)


def _captured(payment: Payment, owed: int) -> None:
    """More was taken than is owed: give the difference back. Less: the intent is closed, the rest is a further charge.

    Less it is when the end was corrected while the driver was still asked to confirm the first amount.
    """
    over = min(brought(payment) - owed, remainder(payment))
    if brought(payment) < owed:
        payment.owed = brought(payment)
        next_step(further(payment, owed - payment.owed))
    elif over > 0:
        assert payment.intent_id is not None
        move(payment, State.REFUNDING)
        commands.refund(payment, payment.money(over), payment.intent_id)


def further(first: Payment, amount: int, energy: int = 0) -> Payment:
    """More is owed than a payment can bring: one further, to be charged without the driver; `energy` of it is energy."""
    now = clock.now()
    row = Payment(
        id=new_id("pay"),
        rental_id=first.rental_id,
        person_id=first.person_id,
        community_id=first.community_id,
        payee=first.payee,
        card_id=first.card_id,
        purpose="extras",
        state=State.HOLD_DUE,
        currency=first.currency,
        amount=amount,
        owed=amount,
        shares=first.shares,
        energy=energy,
        starts_at=first.starts_at,
        on_session=False,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    return row


_STEPS: Mapping[State, Callable[[Payment, int], None]] = {
    State.HOLD_DUE: _not_held,
    State.ACTION_REQUIRED: _waiting,
    State.HOLD_FAILED: _waiting,
    State.HOLD_LOST: _not_held,
    State.HELD: _held,
    State.ARREARS: _arrears,
    State.WRITTEN_OFF: _arrears,
    State.CAPTURED: _captured,
}


def remainder(payment: Payment) -> int:
    """What was captured and is neither given back nor promised."""
    promised = PaymentCommand.state.in_(commands.PROMISED)
    return payment.captured - payment.refunded - _refunds(payment, promised)


def brought(payment: Payment) -> int:
    """What the payment brings for its rental: what we gave back by ourselves is off, goodwill of an operator is not."""
    ours = PaymentCommand.by == commands.SYSTEM, PaymentCommand.state != commands.FAILED
    return payment.captured - _refunds(payment, *ours)


def _refunds(payment: Payment, *which: ColumnElement[bool]) -> int:
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.payment_id == payment.id, PaymentCommand.kind == "refund", *which
    )
    return int(session.scalar(total) or 0)


def lost(payment: Payment) -> None:
    """The bank let the hold go: hold again while the rental is open, else charge what is owed.

    A deposit is not asked for anew once the car is back: a charge request is then charged like one without a deposit.
    """
    payment.intent_id, payment.capture_before = None, None
    deadlines.drop(payment.id, "hold_renew")
    move(payment, State.HOLD_LOST)
    if payment.owed is None and payment.inspect_until is not None:
        payment.owed = 0
        deadlines.drop(payment.id)
        released(payment)
    elif payment.owed is None:
        hold(payment, off_session=True)
    else:
        next_step(payment)


def released(payment: Payment) -> None:
    """All is free again."""
    _forget_failure(payment)
    payment.capture_before = None
    move(payment, State.RELEASED)
    record(facts.PaymentReleased(payment.id, payment.rental_id))


def _forget_failure(payment: Payment) -> None:
    payment.failure_code, payment.failure_hard, payment.action_sealed = None, False, None
