"""The last leg, from an owner's account to their bank, which the provider takes by itself: one that fails is told.

Its event may be lost like any other, and those of owners' accounts are not fetched: once a night each account is asked.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import account_of, commands, payout_account
from app.billing.differences import Difference
from app.billing.payout_models import BankPayout, Transfer
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.facts import record
from payments import payouts
from payments.gateway import NotThere, PaymentsBusy, PaymentsRefused
from payments.payouts import PayoutState

log = structlog.get_logger(__name__)
MADE_WITHIN = timedelta(days=30)
"""A bank may send a payout back days after it arrived."""
SENT_WITHIN = timedelta(days=60)
"""An account that was sent nothing for so long has no young payout."""


def follow(payout: str, account: str | None) -> bool:
    """The provider says that a payout changed; False when the account is not one of ours (yet)."""
    payee = payout_account.of_external(account) if account else None
    if payee is None or account is None:
        return False
    with suppress(NotThere):
        _apply(payee, commands.payouts().bank_payout(payout, account=account))
    return True


@transactional
def _apply(payee: str, found: payouts.BankPayout) -> None:
    """A payout that arrived may fail days later, and one that failed stays so: the next is another."""
    values = {
        "community_id" if payee.startswith("com_") else "person_id": payee,
        "state": PayoutState.UNDER_WAY.value,
        "amount": found.amount.amount,
        "currency": found.amount.currency,
        "changed_at": clock.now(),
    }
    new = insert(BankPayout).values(external_id=found.id, **values)
    session.execute(new.on_conflict_do_nothing())
    row = session.get_one(BankPayout, found.id, with_for_update=True, populate_existing=True)
    if row.state in (PayoutState.FAILED, found.state):
        return
    row.state, row.failure, row.changed_at = found.state.value, found.failure, clock.now()
    if found.state is PayoutState.FAILED:
        record(facts.BankPayoutFailed(payee, found.id, found.amount.amount, found.amount.currency))


def unheard(now: datetime) -> Iterator[Difference]:
    """Payouts that failed and nobody told us of, told now. Outside any transaction."""
    for payee, account in _paid_lately(now):
        try:
            failed = commands.payouts().failed_payouts(account, now - MADE_WITHIN)
        except (PaymentsRefused, PaymentsBusy) as no:
            # an account that is no more, or a limit: the others are asked all the same, this one the next night
            log.warning("an account was not asked for its payouts", payee=payee, error=str(no))
            continue
        for one in failed:
            was = _state(one.id)
            if was != PayoutState.FAILED:
                _apply(payee, one)
                yield Difference("bank_payout", one.id, was, one.state.value, one.amount, mended=True)


@transactional
def _paid_lately(now: datetime) -> Sequence[tuple[str, str]]:
    """Payees with their accounts; one may be restricted by now, since a bank that refuses makes it so."""
    sent = select(Transfer.payee).where(
        Transfer.external_id.is_not(None), Transfer.changed_at >= now - SENT_WITHIN
    )
    accounts = [account_of.payee(one) for one in session.scalars(sent.distinct().order_by(Transfer.payee))]
    return [(one.payee, one.external_id) for one in accounts if one is not None and one.external_id]


@transactional
def _state(payout: str) -> str | None:
    row = session.get(BankPayout, payout, populate_existing=True)
    return row.state if row else None
