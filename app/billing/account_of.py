"""Finding the account of a payee, a person or a community: two tables, one way to ask."""

from sqlalchemy import select

from app.billing.payout_models import CommunityPayoutAccount, PayoutAccount
from app.kit.db import session
from payments.payouts import AccountState

AnyAccount = PayoutAccount | CommunityPayoutAccount


def payee(whose: str, *, lock: bool = False) -> AnyAccount | None:
    """As it stands now; None for who has none."""
    if whose.startswith("com_"):
        return session.get(CommunityPayoutAccount, whose, with_for_update=lock, populate_existing=True)
    return session.get(PayoutAccount, whose, with_for_update=lock, populate_existing=True)


def external(given: str) -> AnyAccount | None:
    """By the provider's id."""
    of_person = session.scalar(select(PayoutAccount).where(PayoutAccount.external_id == given))
    return of_person or session.scalar(
        select(CommunityPayoutAccount).where(CommunityPayoutAccount.external_id == given)
    )


def not_enabled() -> list[AnyAccount]:
    """Those the provider knows and does not pay into."""
    enabled = AccountState.ENABLED.value
    people = select(PayoutAccount).where(
        PayoutAccount.state != enabled, PayoutAccount.external_id.is_not(None)
    )
    communities = select(CommunityPayoutAccount).where(
        CommunityPayoutAccount.state != enabled, CommunityPayoutAccount.external_id.is_not(None)
    )
    return [*session.scalars(people), *session.scalars(communities)]
