"""An owner's account at the provider, into which they are paid: made once, shown with what is missing, re-read on hints."""

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import account_of, commands, transfer
from app.billing.account_of import AnyAccount
from app.billing.payout_models import CommunityPayoutAccount, PayoutAccount, Transfer
from app.billing.states import TransferState
from app.billing.tax_models import CommunityTaxDetails
from app.kit import clock, keys
from app.kit.db import bare, session, transactional, uuid7
from app.kit.errors import Unavailable
from app.kit.facts import record
from app.kit.jobs import defer, job
from app.people.models import Person
from payments.gateway import KeySpent, PaymentsRefused, PaymentsUnavailable
from payments.payouts import Account, AccountState, Payouts

log = structlog.get_logger(__name__)
NONE = "none"
"""Asked for, and not yet known to the provider."""


def shown(payee: str) -> dict[str, Any]:
    """How the owner's account stands, what is missing, and what waits for them."""
    row = account_of.payee(payee)
    return {
        "state": row.state if row else NONE,
        "missing": row.missing if row else [],
        "url": None,
        "waiting": [one.to_dict() for one in transfer.unsent(payee)],
    }


@transactional
def begin(person: str) -> None:
    """The row and the key under which the account is made, for `onboard` to carry out once this is committed."""
    owner = session.get_one(Person, person)
    _begin(PayoutAccount, f"account:{bare(person, 'per')}", owner.country, person_id=person)


@transactional
def begin_for_community(community: str, by: str) -> None:
    """The same for a community, in the country of its tax details, else of the owner who asks."""
    told = session.get(CommunityTaxDetails, community)
    country = (told.country if told else None) or session.get_one(Person, by).country
    key = f"account:{bare(community, 'com')}"
    _begin(CommunityPayoutAccount, key, country, community_id=community)


def _begin(kind: type[PayoutAccount | CommunityPayoutAccount], key: str, country: str, **whose: str) -> None:
    now = clock.now()
    wanted = insert(kind).values(
        key=key, country=country, state=NONE, missing=[], made_at=now, changed_at=now, **whose
    )
    session.execute(wanted.on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the provider must be told, as plain values.

    No address: it may change before an answer that was lost is asked for again, and the same key wants the same request.
    """

    external: str | None
    country: str
    key: str


def with_link(payee: str) -> dict[str, Any]:
    """As shown, with a fresh link to where its owner says who they are. Outside any transaction. Raises Unavailable."""
    url = onboard(payee)
    return {**shown(payee), "url": url}


def onboard(payee: str) -> str | None:
    """Have the account made if need be, and get a fresh link: None when nothing is missing. Raises Unavailable."""
    asked = _asked(payee)
    try:
        door = commands.payouts()
        account = asked.external
        if account is None:
            account = _open(door, payee, asked)
            _keep(payee, account)
        found = door.account(account)
        _known(payee, found, told=True)
        if found.state is AccountState.ENABLED and not found.missing:
            return None
        base = f"{keys.settings().public_url}/payouts"
        return door.onboarding(account, return_url=f"{base}/done", refresh_url=f"{base}/again")
    except PaymentsUnavailable as error:
        raise Unavailable("The payment provider does not answer; ask again.") from error
    except PaymentsRefused as error:  # a setting of ours there, mostly: nothing the owner could mend
        log.exception("an account was refused", payee=payee)
        raise Unavailable("The payment provider opens no account at the moment; ask us.") from error


def _open(door: Payouts, payee: str, asked: _Asked) -> str:
    try:
        return door.open_account(payee=payee, country=asked.country, key=asked.key)
    except KeySpent:
        _ask_anew(payee)
        raise


@transactional
def _ask_anew(payee: str) -> None:
    """A fault of the provider lies under the key: an account made under it is left alone there."""
    row = _found(payee)
    row.key = f"{row.key.split('/')[0]}/{uuid7()}"


@transactional
def _asked(payee: str) -> _Asked:
    row = _found(payee)
    return _Asked(row.external_id, row.country, row.key)


@transactional
def _keep(payee: str, external: str) -> None:
    """Whatever comes after, it is not made again."""
    row = _found(payee, lock=True)
    row.external_id = row.external_id or external


@transactional
def _known(payee: str, found: Account, *, told: bool) -> None:
    """Bring our row to what the provider says; `told`: the owner is looking at it, and needs no message."""
    row = _found(payee, lock=True)
    news = set(found.missing) - set(row.missing)
    was = row.state
    row.external_id = row.external_id or found.id
    row.state, row.missing, row.changed_at = found.state.value, sorted(found.missing), clock.now()
    if news and not told:
        record(facts.PayoutAccountAsks(payee))
    if found.state is AccountState.ENABLED and was != AccountState.ENABLED:
        transfer.resume(payee)


def refresh(external: str) -> bool:
    """The provider says that an account changed; False when it is not one of ours (yet)."""
    payee = of_external(external)
    if payee is not None:
        _known(payee, commands.payouts().account(external), told=False)
    return payee is not None


@job("payout_account")
def payout_account(person: str) -> None:
    """Look at an account again without a hint: one that refused a transfer, or is not enabled for long.

    `person` is the payee, a person or a community.
    """
    row = _row(person)
    if row is not None and row.external_id is not None:
        _known(person, commands.payouts().account(row.external_id), told=False)


@transactional
def look_again() -> None:
    """Have every account looked at again that is not enabled while money waits for it."""
    waits = select(Transfer.payee).where(Transfer.state == TransferState.PAYABLE_BLOCKED)
    blocked = set(session.scalars(waits))
    for row in account_of.not_enabled():
        if row.payee in blocked:
            defer("payout_account", lock=row.external_id, person=row.payee)


@transactional
def of_external(external: str) -> str | None:
    """Whose account it is."""
    row = account_of.external(external)
    return row.payee if row is not None else None


@transactional
def _row(payee: str) -> AnyAccount | None:
    return account_of.payee(payee)


def _found(payee: str, *, lock: bool = False) -> AnyAccount:
    row = account_of.payee(payee, lock=lock)
    assert row is not None
    return row
