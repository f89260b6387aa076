"""The last leg, from an owner's account to their bank, which the provider takes by itself: one that fails is told."""

from contextlib import suppress

from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import commands, payout_account
from app.billing.payout_models import BankPayout
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.facts import record
from payments import payouts
from payments.gateway import NotThere
from payments.payouts import PayoutState


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
