"""What an intent's present state does to its payment: monotonic, so that late, doubled and stale news change nothing."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from sqlalchemy import or_, select

from app import facts
from app.billing import advance, commands, ledger, refused_step
from app.billing.models import Payment, PaymentCommand
from app.billing.state_table import Event
from app.billing.states import OVERPAID, TAKEN, State
from app.kit import clock, deadlines, keys
from app.kit.db import new_id, session, transactional
from app.kit.facts import record
from payments import share_tables
from payments.gateway import Intent, IntentState

log = structlog.get_logger(__name__)
BEFORE_START, AFTER_TOLD = timedelta(hours=2), timedelta(minutes=20)
RENEW_BEFORE = timedelta(hours=12)
DUNNING_DAYS = (1, 3, 5, 7)
"""When a charge that the bank refused for now is tried again, after each failure (design: money, 4.5)."""
SECRET = "payment-action"  # noqa: S105 - the name of a key, not a key


def find(intent: str, key: str | None) -> PaymentCommand | None:
    """The attempt that made an intent: by the intent's id, or by the key kept with it at the provider."""
    mine = [PaymentCommand.object_id == intent]
    if key is not None:
        mine.append(PaymentCommand.key == key)
    found = select(PaymentCommand).where(or_(*mine), PaymentCommand.kind.in_(("hold", "charge")))
    return session.scalars(found.execution_options(populate_existing=True)).first()


@transactional
def apply(intent: Intent) -> bool:
    """Bring our payment to what the provider says now; False when the intent is not one of ours."""
    seen = find(intent.id, intent.command)
    if seen is None or seen.payment_id is None:
        return False
    payment = commands.lock(seen.payment_id)
    command = find(intent.id, intent.command)
    assert command is not None
    if command.payment_id != payment.id:  # meanwhile found to be paid twice
        return apply(intent)
    command.object_id = intent.id
    if intent.state is IntentState.PROCESSING:
        return True
    if command.state == commands.OPEN:
        failure = (
            intent.failure.code if intent.failure and _state(intent) is IntentState.CARD_NEEDED else None
        )
        commands.settle(command, commands.FAILED if failure else commands.DONE, error=failure)
    if intent.state in refused_step.CLOSED:
        refused_step.over(intent.id)
    _reach(payment, command, intent)
    advance.next_step(payment)
    return True


def _reach(payment: Payment, command: PaymentCommand, intent: Intent) -> None:
    """What it means, by whether the payment still goes by this intent."""
    if command.id != payment.attempt_id and intent.id != payment.intent_id:
        _stray(payment, command, intent)
    elif payment.state == State.RELEASED and intent.state is not IntentState.CAPTURED:
        _came_to_life(payment, intent)
    elif payment.state == State.RENEWING and command.id == payment.attempt_id:
        _renewed(payment, intent)
    elif intent.id == payment.intent_id or _is_current(payment, command, intent):
        payment.intent_id = intent.id
        _NEWS[_state(intent)](payment, intent)
    elif payment.intent_id is None and payment.state in (State.HOLDING, State.CAPTURING):
        advance.befalls(payment, Event.NEVER_HELD)  # the first we hear of it is that the bank has let it go


def _state(intent: Intent) -> IntentState:
    """An intent that was refused only because its holder was absent waits for the holder."""
    asks = intent.failure is not None and intent.failure.asks_holder
    if intent.state is IntentState.CARD_NEEDED and asks:
        return IntentState.ACTION_REQUIRED
    return intent.state


def _is_current(payment: Payment, command: PaymentCommand, intent: Intent) -> bool:
    """The attempt's intent is the payment's, unless it was dropped and lies released."""
    return command.id == payment.attempt_id and intent.state is not IntentState.RELEASED


def _held(payment: Payment, intent: Intent, event: Event = Event.HELD) -> None:
    if advance.befalls(payment, event) is None:
        return
    payment.charge_id, payment.capture_before = intent.charge, intent.capture_before
    payment.failure_code, payment.failure_hard, payment.action_sealed = None, False, None
    payment.told_at, payment.deadline_at = None, None
    deadlines.drop(payment.id, "hold_failed")
    if intent.capture_before is not None:
        deadlines.at("hold_renew", payment.id, intent.capture_before - RENEW_BEFORE)
    record(facts.PaymentHeld(payment.id, payment.rental_id))


def _asks_holder(payment: Payment, intent: Intent) -> None:
    if advance.befalls(payment, Event.ASKS_HOLDER) is None:
        return
    payment.action_sealed = keys.seal(SECRET, (intent.client_secret or "").encode())
    if payment.owed is None or advance.charges(payment):
        _set_deadline(payment)
        record(facts.PaymentActionRequired(payment.id, payment.rental_id))


def _card_needed(payment: Payment, intent: Intent) -> None:
    if intent.failure is not None:
        refused(payment, intent.failure.code, hard=intent.failure.hard)


def refused(payment: Payment, code: str, *, hard: bool) -> None:
    """The bank said no to a hold or charge."""
    if payment.state == State.RENEWING:
        _not_renewed(payment)
    elif advance.befalls(payment, Event.REFUSED) is not None:
        _failed(payment, code, hard=hard)


def _failed(payment: Payment, code: str, *, hard: bool) -> None:
    payment.failure_code, payment.failure_hard, payment.action_sealed = code, hard, None
    if payment.state == State.ARREARS:
        _dun(payment, hard=hard)
    else:
        _set_deadline(payment)
    if payment.owed is None or advance.charges(payment):
        # a hold that failed after the end is followed by a charge, not by news
        record(facts.PaymentFailed(payment.id, payment.rental_id, code))


def _set_deadline(payment: Payment) -> None:
    """The driver has until two hours before the start, at least 20 minutes from when they are told first."""
    if payment.owed is not None:
        return
    payment.told_at = payment.told_at or clock.now()
    payment.deadline_at = max(payment.starts_at - BEFORE_START, payment.told_at + AFTER_TOLD)
    deadlines.at("hold_failed", payment.id, payment.deadline_at)


def _dun(payment: Payment, *, hard: bool) -> None:
    """The next try by ourselves: what the driver tries meanwhile uses up none of ours."""
    failed = session.scalars(
        select(PaymentCommand).where(
            PaymentCommand.payment_id == payment.id,
            PaymentCommand.kind == "charge",
            PaymentCommand.state == commands.FAILED,
        )
    ).all()
    ours = sum(one.by == commands.SYSTEM for one in failed)
    same_card = [one for one in failed if one.params.get("card") == payment.card_id]
    twice = sum(one.error == "do_not_honor" for one in same_card) > 1
    if not hard and not twice and ours <= len(DUNNING_DAYS):
        deadlines.at("dunning", payment.id, clock.now() + timedelta(days=DUNNING_DAYS[max(ours, 1) - 1]))


def _taken(payment: Payment, intent: Intent) -> None:
    if advance.befalls(payment, Event.TAKEN) is None:
        return
    deadlines.drop(payment.id)
    payment.charge_id, payment.captured = intent.charge, intent.captured.amount
    payment.failure_code, payment.failure_hard, payment.action_sealed = None, False, None
    payment.told_at = payment.deadline_at = payment.capture_before = None
    money = intent.captured
    seq = record(facts.PaymentSucceeded(payment.id, payment.rental_id, money.amount, money.currency))
    ledger.captured(payment, money, seq)


def _let_go(payment: Payment, intent: Intent) -> None:
    del intent
    row = advance.befalls(payment, Event.LET_GO)
    if row is not None and row.to is State.HOLD_FAILED:
        _failed(payment, "expired", hard=False)


_NEWS: Mapping[IntentState, Callable[[Payment, Intent], None]] = {
    IntentState.HELD: _held,
    IntentState.ACTION_REQUIRED: _asks_holder,
    IntentState.CARD_NEEDED: _card_needed,
    IntentState.CAPTURED: _taken,
    IntentState.RELEASED: _let_go,
}


def _renewed(payment: Payment, intent: Intent) -> None:
    """The new hold stands: only now the old one is given back. It failed: take the old one before it dies."""
    if intent.state is not IntentState.HELD:
        if intent.state is not IntentState.RELEASED:
            commands.step(payment, "release", None, intent.id)
        _not_renewed(payment)
        return
    if payment.intent_id is not None:
        commands.step(payment, "release", None, payment.intent_id)
    payment.intent_id = intent.id
    _held(payment, intent, Event.RENEWED)


def _not_renewed(payment: Payment) -> None:
    """Take all that is held; the end of the rental gives back what was too much.

    Of a deposit nothing is taken without a hearing: the old hold stands as long as the bank lets it. The attempt that made
    it is the payment's again, so that late news of the one that failed are nobody's.
    """
    if payment.intent_id is not None:
        stands = find(payment.intent_id, None)
        assert stands is not None
        payment.attempt_id = stands.id
    row = advance.befalls(payment, Event.NOT_RENEWED)
    if row is not None and row.to is State.HOLD_FAILED:
        _failed(payment, "hold_lost", hard=False)


def _stray(payment: Payment, command: PaymentCommand, intent: Intent) -> None:
    """An attempt that was given up came to life late: free it; taken already, it is the payment, unless that is paid.

    An attempt under way whose outcome is not known may turn out to be the second: it is then looked at like this one.
    """
    if intent.state is IntentState.RELEASED:
        return
    if intent.state is not IntentState.CAPTURED:
        commands.step(payment, "release", None, intent.id)
    elif payment.state in TAKEN:
        _overpaid(payment, command, intent)
    else:
        for one in commands.opened(payment.id, "hold", "charge"):
            if not one.tries:
                commands.settle(one, commands.FAILED, error="superseded")
        advance.drop_attempt(payment)
        payment.attempt_id, payment.intent_id = command.id, intent.id
        _taken(payment, intent)


def _came_to_life(payment: Payment, intent: Intent) -> None:
    """It was given up with the whole payment, and confirmed before it could be freed: nothing is wanted of it."""
    if intent.state is not IntentState.RELEASED:
        commands.step(payment, "release", None, intent.id)


def _overpaid(payment: Payment, command: PaymentCommand, intent: Intent) -> None:
    """Paid twice: the attempt gets a payment of its own, of which nothing is owed, so that all of it is given back."""
    log.warning("paid twice", payment=payment.id, intent=intent.id)
    now = clock.now()
    row = Payment(
        id=new_id("pay"),
        rental_id=payment.rental_id,
        person_id=payment.person_id,
        community_id=payment.community_id,
        payee=payment.payee,
        card_id=payment.card_id,
        purpose=OVERPAID,
        state=State.CAPTURING,
        currency=payment.currency,
        amount=intent.captured.amount,
        owed=0,
        shares=share_tables.NOBODYS.to_dict(),
        starts_at=payment.starts_at,
        on_session=False,
        attempt_id=command.id,
        intent_id=intent.id,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    command.payment_id = row.id
    _taken(row, intent)
    advance.next_step(row)
