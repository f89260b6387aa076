"""Commands to the payment provider: a row first, then a job; the row's key is the same for every repeat."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.billing.models import Payment, PaymentCommand
from app.kit import clock
from app.kit.db import bare, in_transaction, new_id, notify, release, session, transactional
from app.kit.errors import Unavailable
from app.kit.jobs import defer, hurry
from payments.disputes import Disputes
from payments.gateway import Payments
from payments.money import Money
from payments.payouts import Payouts

OPEN, DONE, FAILED, STUCK, WAITING = "open", "done", "failed", "stuck", "waiting"
"""Stuck is what was refused time and again: an operator must look. Waiting is a refund before its next try."""
BY_BANK = "by_bank"
"""A refund that was paid from our own bank account in the end."""
PROMISED = (OPEN, WAITING, STUCK)
"""A refund that was asked for and neither given back nor given up."""
STAND_FOR = "stand_for"
"""Kind that moves no money: which rental the provider shows with the payment's intent."""
TO_OWNER = ("transfer", "reverse")
"""Kinds that concern the owner: worked off by a job of their own, so that none of them holds up the driver's money."""
SYSTEM = "system"
KEY_LIVES = timedelta(hours=23)
"""Stripe remembers a key for 24 h at least; an older unknown outcome is looked up, never sent again.

So is one whose key was `spent` on a fault of Stripe's.
"""


def door() -> Payments:
    """The payment provider. Never inside a transaction."""
    if in_transaction():
        raise RuntimeError("the payment provider was asked inside a transaction")
    release()
    return provider()


def payouts() -> Payouts:
    """The provider's door for paying owners. Never inside a transaction."""
    door()
    found: Payouts | None = current_app.extensions["glovebox"].doors.payouts
    if found is None:
        raise Unavailable("Payouts are not set up here.")
    return found


def disputes() -> Disputes:
    """The provider's door for disputes. Never inside a transaction."""
    door()
    found: Disputes | None = current_app.extensions["glovebox"].doors.disputes
    if found is None:
        raise Unavailable("Disputes are not set up here.")
    return found


def provider() -> Payments:
    """The same for what needs no call: judging a signature."""
    found: Payments | None = current_app.extensions["glovebox"].doors.payments
    if found is None:
        raise Unavailable("Payments are not set up here.")
    return found


def to_owner(
    payment: Payment, kind: str, amount: Money, target: str | None, params: dict[str, Any]
) -> PaymentCommand:
    """Pay the owner, or take part of it back. The payment is locked."""
    row = _row(kind, payment, amount, target, params, SYSTEM)
    session.add(row)
    session.flush()
    defer("owner_command", lock=f"owner {payment.id}", payment=payment.id)
    return row


def key_of(kind: str, command: str) -> str:
    return f"{kind}:{bare(command, 'pcm')}"


def attempt(
    payment: Payment, kind: str, amount: Money, *, off_session: bool, by: str = SYSTEM
) -> PaymentCommand:
    """A new try to hold or charge on the payment's card, with a key of its own. The payment is locked."""
    session.flush()  # what ended the attempt before is written first
    asked = {"card": payment.card_id, "off_session": off_session, "rental": payment.rental_id}
    row = _row(kind, payment, amount, None, asked, by)
    session.add(row)
    payment.attempt_id = row.id
    session.flush()
    work(payment.id)
    return row


def step(payment: Payment, kind: str, amount: Money | None, target: str, *, by: str = SYSTEM) -> None:
    """Capture or release one intent; asked again it stays the one command, until that is refused. The payment is locked."""
    row = _row(kind, payment, amount, target, {}, by)
    values = {c.key: getattr(row, c.key) for c in PaymentCommand.__table__.columns}
    session.flush()
    session.execute(insert(PaymentCommand).values(values).on_conflict_do_nothing())
    work(payment.id)


def stand_for(payment: Payment) -> None:
    """Have the provider show the rental that the payment is of by now. The payment is locked."""
    session.add(_row(STAND_FOR, payment, None, None, {"rental": payment.rental_id}, SYSTEM))
    session.flush()
    work(payment.id)


def refund(
    payment: Payment, amount: Money, target: str, *, by: str = SYSTEM, first: str | None = None
) -> PaymentCommand:
    """Give back part of what was captured. The payment is locked and the remainder checked.

    `first`: the command that was refused, of which this is another try.
    """
    row = _row("refund", payment, amount, target, {"first": first} if first else {}, by)
    session.add(row)
    session.flush()
    work(payment.id)
    return row


def _row(
    kind: str, payment: Payment, amount: Money | None, target: str | None, params: dict[str, Any], by: str
) -> PaymentCommand:
    command = new_id("pcm")
    return PaymentCommand(
        id=command,
        kind=kind,
        payment_id=payment.id,
        card_id=None,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else None,
        target=target,
        params=params,
        params_hash=params_hash(kind, amount, target, params),
        key=key_of(kind, command),
        state=OPEN,
        tries=0,
        by=by,
        made_at=clock.now(),
    )


def params_hash(kind: str, amount: Money | None, target: str | None, params: dict[str, Any]) -> bytes:
    """What is asked, as one value: a repeat under the same key must ask the same."""
    asked = [kind, amount.to_dict() if amount else None, target, params]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def begin_try(command: PaymentCommand, amount: Money | None) -> bool:
    """Count a try of a command; whether its first one is older than the provider's memory of keys."""
    if params_hash(command.kind, amount, command.target, command.params) != command.params_hash:
        raise AssertionError(f"{command.id} was changed after it was made")
    now = clock.real_now()
    command.first_tried_at = command.first_tried_at or now
    command.tries += 1
    return now - command.first_tried_at > KEY_LIVES


@transactional
def spent(command: str) -> None:
    """The provider repeats a fault of its own under the command's key: from now on what came of it is looked up."""
    row = session.get_one(PaymentCommand, command, with_for_update=True, populate_existing=True)
    row.first_tried_at = clock.real_now() - KEY_LIVES - timedelta(seconds=1)


def work(payment: str) -> None:
    """Have the open commands of a payment worked off, one after the other; one that waits for its retry is woken."""
    hurry(payment)
    defer("payment_command", lock=payment, payment=payment)


def opened(payment: str, *kinds: str) -> list[PaymentCommand]:
    """The open commands of a payment in the order they were made; without `kinds` all but those to the owner.

    What is to be freed comes first: ids of one millisecond are in no order, and an attempt that was given up must be seen
    to be free, or taken, before another takes the money.
    """
    found = select(PaymentCommand).where(PaymentCommand.payment_id == payment, PaymentCommand.state == OPEN)
    if kinds:
        found = found.where(PaymentCommand.kind.in_(kinds))
    else:
        found = found.where(PaymentCommand.kind.not_in(TO_OWNER))
    found = found.order_by(PaymentCommand.kind != "release", PaymentCommand.id)
    return list(session.scalars(found.execution_options(populate_existing=True)))


def settle(
    command: PaymentCommand, state: str, *, object_id: str | None = None, error: str | None = None
) -> None:
    """Its outcome is known."""
    command.state, command.settled_at = state, clock.now()
    command.object_id = object_id or command.object_id
    command.error = error


def lock(payment: str) -> Payment:
    """The payment row, locked: the last of all rows in the order of locks."""
    session.flush()
    found = session.get(Payment, payment, with_for_update=True, populate_existing=True)
    if found is None:
        raise LookupError(payment)
    return found


def tell_waiters(payment: Payment) -> None:
    """Wake requests that wait for the rental's payment (`Prefer: wait` on a booking)."""
    notify("command_settled", payment.rental_id)
