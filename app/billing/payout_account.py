"""An owner's account at the provider, into which they are paid: made once, shown with what is missing, re-read on hints."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import commands, transfer
from app.billing.payout_models import PayoutAccount, Transfer
from app.billing.states import TransferState
from app.kit import clock, keys
from app.kit.db import bare, session, transactional
from app.kit.errors import Unavailable
from app.kit.facts import record
from app.kit.jobs import defer, job
from app.people.models import Person
from payments.gateway import PaymentsUnavailable
from payments.payouts import Account, AccountState

NONE = "none"
"""Asked for, and not yet known to the provider."""


def shown(person: str) -> dict[str, Any]:
    """How the owner's account stands, what is missing, and what waits for them."""
    row = session.get(PayoutAccount, person)
    return {
        "state": row.state if row else NONE,
        "missing": row.missing if row else [],
        "url": None,
        "waiting": [one.to_dict() for one in transfer.unsent(person)],
    }


@transactional
def begin(person: str) -> PayoutAccount:
    """The row and the key under which the account is made, for `onboard` to carry out once this is committed."""
    owner = session.get_one(Person, person)
    now = clock.now()
    wanted = insert(PayoutAccount).values(
        person_id=person,
        key=f"account:{bare(person, 'per')}",
        country=owner.country,
        state=NONE,
        missing=[],
        made_at=now,
        changed_at=now,
    )
    session.execute(wanted.on_conflict_do_nothing())
    return session.get_one(PayoutAccount, person, populate_existing=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the provider must be told, as plain values."""

    external: str | None
    country: str
    email: str
    key: str


def onboard(person: str) -> str | None:
    """Have the account made if need be, look at it, and get a fresh link to where its owner says who they are.

    Outside any transaction. None when nothing is missing. Raises Unavailable.
    """
    asked = _asked(person)
    try:
        door = commands.payouts()
        account = asked.external or door.open_account(
            person=person, country=asked.country, email=asked.email, key=asked.key
        )
        found = door.account(account)
        _known(person, found, told=True)
        if found.state is AccountState.ENABLED and not found.missing:
            return None
        base = f"{keys.settings().public_url}/payouts"
        return door.onboarding(account, return_url=f"{base}/done", refresh_url=f"{base}/again")
    except PaymentsUnavailable as error:
        raise Unavailable("The payment provider does not answer; ask again.") from error


@transactional
def _asked(person: str) -> _Asked:
    row = session.get_one(PayoutAccount, person, populate_existing=True)
    owner = session.get_one(Person, person)
    return _Asked(row.external_id, row.country, owner.email, row.key)


@transactional
def _known(person: str, found: Account, *, told: bool) -> None:
    """Bring our row to what the provider says; `told`: the owner is looking at it, and needs no message."""
    row = session.get_one(PayoutAccount, person, with_for_update=True, populate_existing=True)
    news = set(found.missing) - set(row.missing)
    was = row.state
    row.external_id = row.external_id or found.id
    row.state, row.missing, row.changed_at = found.state.value, sorted(found.missing), clock.now()
    if news and not told:
        record(facts.PayoutAccountAsks(person))
    if found.state is AccountState.ENABLED and was != AccountState.ENABLED:
        transfer.resume(person)


def refresh(external: str) -> bool:
    """The provider says that an account changed; False when it is not one of ours (yet)."""
    person = of_external(external)
    if person is not None:
        _known(person, commands.payouts().account(external), told=False)
    return person is not None


@job("payout_account")
def payout_account(person: str) -> None:
    """Look at an account again without a hint: one that refused a transfer, or is not enabled for long."""
    row = _row(person)
    if row is not None and row.external_id is not None:
        _known(person, commands.payouts().account(row.external_id), told=False)


@transactional
def look_again() -> None:
    """Have every account looked at again that is not enabled while money waits for it."""
    waits = select(Transfer.payee).where(Transfer.state == TransferState.PAYABLE_BLOCKED)
    rows = session.scalars(
        select(PayoutAccount).where(
            PayoutAccount.state != AccountState.ENABLED.value, PayoutAccount.external_id.is_not(None)
        )
    ).all()
    blocked = set(session.scalars(waits))
    for row in rows:
        if row.person_id in blocked:
            defer("payout_account", lock=row.external_id, person=row.person_id)


@transactional
def of_external(external: str) -> str | None:
    """Whose account it is."""
    return session.scalar(select(PayoutAccount.person_id).where(PayoutAccount.external_id == external))


@transactional
def _row(person: str) -> PayoutAccount | None:
    return session.get(PayoutAccount, person, populate_existing=True)
