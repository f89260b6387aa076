"""Moves a payment: by the state table alone, with what follows from each move. The payment is always locked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import ColumnElement, func, select

from app import facts
from app.billing import arrears, commands, dispute_of, promises
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event, Row, Then, follow
from app.billing.states import DEPOSIT, State
from app.kit import clock, deadlines
from app.kit.db import new_id, session
from app.kit.facts import record


@dataclass(frozen=True, slots=True)
class Ask:
    """How what follows is asked: `amount` of a capture that nothing is owed for yet, the driver absent, on whose behalf."""

    amount: int | None = None
    off_session: bool = True
    by: str = commands.SYSTEM


def befalls(payment: Payment, event: Event, ask: Ask | None = None) -> Row | None:
    """Go where the table says, and do what follows; None: nothing came of it."""
    row = follow(State(payment.state), event, _Case(payment))
    if row is None:
        return None
    if row.to is not None:
        _move(payment, row.to)
    if row.then in _ASKED:
        _ASKED[row.then](payment, ask or Ask())
    elif row.then is not Then.NOTHING:
        _DONE[row.then](payment)
    return row


def next_step(payment: Payment) -> None:
    """What is owed decides; nothing happens while a command is under way or the rental is still open."""
    if payment.owed is not None:
        befalls(payment, Event.LOOK)
    session.flush()


def _move(payment: Payment, state: State) -> None:
    """Put it into a state, and tell whoever waits."""
    payment.state, payment.changed_at = state, clock.now()
    arrears.in_the_books(payment)
    commands.tell_waiters(payment)


@dataclass(frozen=True)
class _Case:
    """What the table asks of a payment."""

    payment: Payment

    @property
    def owed(self) -> int | None:
        return self.payment.owed

    @property
    def charging(self) -> bool:
        return charges(self.payment)

    @property
    def written_off(self) -> bool:
        return self.payment.written_off_at is not None

    @property
    def has_intent(self) -> bool:
        return self.payment.intent_id is not None

    @property
    def is_deposit(self) -> bool:
        return self.payment.purpose == DEPOSIT

    @property
    def inspected(self) -> bool:
        return self.payment.inspect_until is not None

    @cached_property
    def over(self) -> int:
        return _over(self.payment)

    @property
    def disputed(self) -> bool:
        return dispute_of.stands(self.payment.id)

    @property
    def given_back(self) -> bool:
        return self.payment.refunded == self.payment.captured


# -- what follows ----------------------------------------------------------------------------------------------------


def _hold(payment: Payment, ask: Ask) -> None:
    """A new attempt to hold the whole amount."""
    drop_attempt(payment)
    _forget_failure(payment)
    deadlines.drop(payment.id, "hold")
    _hold_beside(payment, ask)


def _hold_beside(payment: Payment, ask: Ask) -> None:
    """Hold anew while the old hold still stands."""
    whole = payment.money(payment.amount)
    commands.attempt(payment, "hold", whole, off_session=ask.off_session, by=ask.by)


def _charge(payment: Payment, ask: Ask) -> None:
    """A new attempt to take what is owed at once, without a hold."""
    _forget(payment)
    owed = payment.money(payment.owed or 0)
    commands.attempt(payment, "charge", owed, off_session=ask.off_session, by=ask.by)


def _capture(payment: Payment, ask: Ask) -> None:
    """Take what is owed of the hold, as far as it goes; while the rental is open as much as is asked, or all."""
    assert payment.intent_id is not None
    deadlines.drop(payment.id)
    wanted = (ask.amount or payment.amount) if payment.owed is None else payment.owed
    amount = min(wanted, payment.amount)
    commands.step(payment, "capture", payment.money(amount), payment.intent_id)


def _release(payment: Payment) -> None:
    assert payment.intent_id is not None
    deadlines.drop(payment.id)
    commands.step(payment, "release", None, payment.intent_id)


def _refund(payment: Payment) -> None:
    """More was taken than is owed: the difference is given back."""
    assert payment.intent_id is not None
    commands.refund(payment, payment.money(_over(payment)), payment.intent_id)
    promises.in_the_books(payment)


def _further(payment: Payment) -> None:
    """Less was taken than is owed, and the intent is closed: the rest is a further charge.

    So it is when the end was corrected while the driver was still asked to confirm the first amount. Too little to be
    charged, it is waived.
    """
    short = -_over(payment)
    payment.owed = brought(payment)
    if not payment.money(short).is_too_little:
        next_step(further(payment, short))


def _look(payment: Payment) -> None:
    payment.intent_id, payment.capture_before = None, None
    deadlines.drop(payment.id, "hold_renew")
    befalls(payment, Event.LOOK)


def _free(payment: Payment) -> None:
    """All is free again. What was kept of a deposit is not asked for anew once the car is back."""
    if payment.owed is None:
        payment.owed = 0
    deadlines.drop(payment.id)
    _forget_failure(payment)
    payment.capture_before = None
    record(facts.PaymentReleased(payment.id, payment.rental_id))


def _forget(payment: Payment) -> None:
    """Nothing of it is wanted any more."""
    deadlines.drop(payment.id)
    drop_attempt(payment)
    _forget_failure(payment)


def _forget_intent(payment: Payment) -> None:
    payment.intent_id = None


def _book(payment: Payment) -> None:
    arrears.in_the_books(payment)


_ASKED: Mapping[Then, Callable[[Payment, Ask], None]] = {
    Then.HOLD: _hold,
    Then.HOLD_BESIDE: _hold_beside,
    Then.CHARGE: _charge,
    Then.CAPTURE: _capture,
}
_DONE: Mapping[Then, Callable[[Payment], None]] = {
    Then.RELEASE: _release,
    Then.REFUND: _refund,
    Then.FURTHER: _further,
    Then.LOOK: _look,
    Then.FREE: _free,
    Then.FORGET: _forget,
    Then.FORGET_INTENT: _forget_intent,
    Then.BOOK: _book,
}


def drop_attempt(payment: Payment) -> None:
    """The present intent is not to be used any more."""
    if payment.intent_id is not None:
        commands.step(payment, "release", None, payment.intent_id)
        payment.intent_id = None
        payment.charge_id = None


def charges(payment: Payment) -> bool:
    """The present attempt takes money at once, rather than holding it."""
    attempt = session.get(PaymentCommand, payment.attempt_id) if payment.attempt_id else None
    return attempt is not None and attempt.kind == "charge"


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


def remainder(payment: Payment) -> int:
    """What was captured and is neither given back nor promised."""
    return payment.captured - payment.refunded - promises.of(payment)


def brought(payment: Payment) -> int:
    """What the payment brings for its rental: what we gave back by ourselves is off, goodwill of an operator is not."""
    ours = PaymentCommand.by == commands.SYSTEM, PaymentCommand.state != commands.FAILED
    return payment.captured - _refunds(payment, *ours)


def _over(payment: Payment) -> int:
    """So much more was taken than is owed, as far as anything is left; below zero, less."""
    over = brought(payment) - (payment.owed or 0)
    return over if over < 0 else min(over, max(remainder(payment), 0))


def _refunds(payment: Payment, *which: ColumnElement[bool]) -> int:
    total = select(func.coalesce(func.sum(PaymentCommand.amount), 0)).where(
        PaymentCommand.payment_id == payment.id, PaymentCommand.kind == "refund", *which
    )
    return int(session.scalar(total) or 0)


def _forget_failure(payment: Payment) -> None:
    payment.failure_code, payment.failure_hard, payment.action_sealed = None, False, None
