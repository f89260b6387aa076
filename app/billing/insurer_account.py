"""What is owed to each insurer: the premiums of its covers, out of a reserve that the shares of payments fill.

The reserve is no insurer's yet. Below nothing it says what covers cost the platform beyond what drivers paid for them.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

from app.billing import ledger
from app.billing.ledger import INSURER_PAYABLE, PREMIUM_RESERVE, Entry, Line
from app.billing.models import LedgerEntry, Posting
from app.billing.statement import month_of
from app.kit.db import session
from payments.money import Money

PREMIUM, PAID = "premium", "insurer_paid"
COVER = "cover"
"""The source of a premium: a cover, and which version of it."""
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(7013)")


@dataclass(frozen=True, slots=True)
class Premium:
    """What a version of a cover costs; nothing while it is open."""

    insurer: str
    cover: str
    version: int
    rental: str
    money: Money


def owe(premium: Premium) -> None:
    """The insurer is owed this premium and no more for the cover. Within a transaction that has locked the cover."""
    more = premium.money - _owed_for(premium)
    if not more:
        return
    lines = (Line(PREMIUM_RESERVE, more), Line(INSURER_PAYABLE, -more, premium.insurer))
    source = f"{premium.cover}:{premium.version}"
    ledger.post(Entry(PREMIUM, COVER, source, lines, rental=premium.rental))


def _owed_for(premium: Premium) -> Money:
    posted = (
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            LedgerEntry.rental_id == premium.rental,
            LedgerEntry.source_type == COVER,
            LedgerEntry.source_id.startswith(f"{premium.cover}:", autoescape=True),
            Posting.account == INSURER_PAYABLE,
        )
    )
    return Money.from_dict({"amount": -int(session.scalar(posted) or 0), "currency": premium.money.currency})


def reserve_old_shares() -> None:
    """Shares that were credited to insurers at large, before each was owed its premiums, go to the reserve.

    Within a transaction. Code from before the reserve may still run beside this one, so it is asked again. One at a time: a
    share posted meanwhile would have the second move what the first has not committed yet.
    """
    session.execute(_ONE_AT_A_TIME)
    at_large = session.execute(
        select(Posting.currency, func.sum(Posting.amount), func.max(Posting.id))
        .where(Posting.account == INSURER_PAYABLE, Posting.subject.is_(None))
        .group_by(Posting.currency)
    )
    for currency, total, last in at_large.all():
        share = Money.from_dict({"amount": -int(total), "currency": currency})
        if share:
            lines = (Line(INSURER_PAYABLE, share), Line(PREMIUM_RESERVE, -share))
            ledger.post(Entry("premium_reserve", "posting", str(last), lines))


def owed(insurer: str, currency: str) -> Money:
    """What is owed to an insurer now; below nothing it was paid more than its covers cost after a correction."""
    return -ledger.balances(INSURER_PAYABLE, currency, insurer)


def month(insurer: str, word: str, zone: str = "UTC") -> list[dict[str, Any]]:
    """An insurer's account in "YYYY-MM", a line for each currency. Raises NotFound for a month that is none."""
    begin, end = month_of(word, zone)
    lines = session.execute(
        select(
            Posting.currency.label("currency"),
            _sum(LedgerEntry.at < begin).label("opening"),
            _sum(LedgerEntry.at >= begin, LedgerEntry.kind == PREMIUM).label("premiums"),
            _sum(LedgerEntry.at >= begin, LedgerEntry.kind == PAID).label("paid"),
            _sum().label("closing"),
        )
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(Posting.account == INSURER_PAYABLE, Posting.subject == insurer, LedgerEntry.at < end)
        .group_by(Posting.currency)
        .order_by(Posting.currency)
    )
    return [_line(row) for row in lines]


def _sum(*which: Any) -> Any:
    total = func.sum(Posting.amount)
    return -func.coalesce(total.filter(*which) if which else total, 0)


def _line(row: Any) -> dict[str, Any]:
    amounts = {"opening": row.opening, "premiums": row.premiums, "paid": -row.paid, "closing": row.closing}
    return {name: {"amount": int(amount), "currency": row.currency} for name, amount in amounts.items()}
