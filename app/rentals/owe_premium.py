"""A cover that ended is owed for: its premium goes to its insurer's account, and a later version's difference after it."""

from sqlalchemy import Text, cast, func, literal, select

from app.billing import insurer_account
from app.billing.insurer_account import COVER, Premium
from app.billing.ledger import INSURER_PAYABLE
from app.billing.models import LedgerEntry, Posting
from app.coverage.models import Cover
from app.facts import CoverClosed, CoverVoided
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from payments.money import Money

BATCH = 5000


def on_ended(fact: CoverClosed | CoverVoided) -> None:
    """Reaction: what the cover costs is known, or known better."""
    _defer(fact.cover)


def _defer(cover: str) -> None:
    defer("owe_premium", lock=f"premium:{cover}", cover=cover)


@job("owe_premium")
@transactional
def owe_premium(cover: str) -> None:
    """Bring the books to the cover as it stands, whichever version this was deferred for: versions may be told out of order.

    The row's lock keeps two from reckoning the same difference.
    """
    row = session.scalar(
        select(Cover).where(Cover.id == cover).with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    )
    if row is not None:
        money = Money.from_dict({"amount": int(row.premium or 0), "currency": row.currency})
        insurer_account.owe(Premium(row.insurer_id, row.id, row.version, row.rental_id, money))


@transactional
def sweep() -> None:
    """What no reaction has brought to the books: covers of before there were these, and of code that did not know them."""
    insurer_account.reserve_old_shares()
    for cover in _unposted():
        _defer(cover)


def _unposted() -> list[str]:
    """Covers whose premium is not what the books say of them."""
    source = func.split_part(LedgerEntry.source_id, ":", 1)
    posted = (
        select(source.label("cover"), (-func.sum(Posting.amount)).label("amount"))
        .join(Posting, Posting.entry_id == LedgerEntry.id)
        .where(LedgerEntry.source_type == COVER, Posting.account == INSURER_PAYABLE)
        .group_by(source)
        .subquery()
    )
    name = literal("cov_") + func.replace(cast(Cover.id, Text), "-", "")
    apart = func.coalesce(Cover.premium, 0) != func.coalesce(posted.c.amount, 0)
    found = select(Cover.id).outerjoin(posted, posted.c.cover == name).where(apart).order_by(Cover.id)
    return list(session.scalars(found.limit(BATCH)))
