"""What an owner earned in a month: the entries of their payable account, and its balance before and after."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app.billing.ledger import OWNER_PAYABLE
from app.billing.models import LedgerEntry, Posting
from app.communities import access
from app.communities.models import Membership
from app.kit.db import session
from app.kit.errors import NotFound

_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])")


def month_of(word: str, zone: str) -> tuple[datetime, datetime]:
    """The span of "YYYY-MM" in the reader's own zone, as instants. Raises NotFound."""
    if not _MONTH.fullmatch(word):
        raise NotFound
    year, month = int(word[:4]), int(word[5:])
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    here = ZoneInfo(zone)
    begin = datetime(year, month, 1, tzinfo=here)
    end = datetime(*following, 1, tzinfo=here)
    return begin.astimezone(UTC), end.astimezone(UTC)


def of(person: str, month: str, zone: str) -> dict[str, Any]:
    """Their statement: what others paid for their cars is above zero, what was given back or paid out below."""
    begin, end = month_of(month, zone)
    subjects = [person, *_communities(person)]
    before = _sums(subjects, LedgerEntry.at < begin)
    within = _sums(subjects, LedgerEntry.at >= begin, LedgerEntry.at < end)
    balances = [
        {
            "opening": {"amount": before.get(one, 0), "currency": one},
            "closing": {"amount": before.get(one, 0) + within.get(one, 0), "currency": one},
        }
        for one in sorted(before.keys() | within.keys())
    ]
    return {"month": month, "balances": balances, "entries": _entries(subjects, begin, end)}


def _communities(person: str) -> list[str]:
    """Communities whose earnings are this person's to read."""
    rows = session.scalars(
        select(Membership).where(Membership.person_id == person, Membership.ended_at.is_(None))
    )
    return [row.community_id for row in rows if access.runs(row)]


def _sums(subjects: list[str], *when: Any) -> dict[str, int]:
    rows = session.execute(
        select(Posting.currency, func.sum(Posting.amount))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(Posting.account == OWNER_PAYABLE, Posting.subject.in_(subjects), *when)
        .group_by(Posting.currency)
    ).all()
    return {currency: -int(total) for currency, total in rows}


def _entries(subjects: list[str], begin: datetime, end: datetime) -> list[dict[str, Any]]:
    rows = session.execute(
        select(LedgerEntry, Posting)
        .join(Posting, LedgerEntry.id == Posting.entry_id)
        .where(
            Posting.account == OWNER_PAYABLE,
            Posting.subject.in_(subjects),
            LedgerEntry.at >= begin,
            LedgerEntry.at < end,
        )
        .order_by(LedgerEntry.id)
    ).all()
    return [
        {
            "at": entry.at,
            "kind": entry.kind,
            "rental": entry.rental_id,
            "amount": {"amount": -line.amount, "currency": line.currency},
        }
        for entry, line in rows
    ]
