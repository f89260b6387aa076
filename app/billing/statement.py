"""A person's month: what their cars earned, gave back and were paid out, the balance before and after; what they paid.

Six statements however many rentals a month has. Amounts are as the reader sees them: what others paid for their cars is
above zero, what was given back or paid out below; what they paid themselves is above zero, what came back below.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from app.billing.owner_share import OF_DRIVERS, WHAT, what
from app.communities import access
from app.communities.models import Membership
from app.kit.clock import z
from app.kit.db import bare, public, session
from app.kit.driver import plain
from app.kit.errors import NotFound
from payments import share_tables

_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])")
_DOCUMENT = """
  left join lateral (select d.series || '-' || lpad(d.no::text, 6, '0') as number, d.payload ->> 'car' as car
    from documents d where d.rental_id = e.rental_id order by d.issued_at, d.no limit 1) d on true
"""
"""The first receipt of the entry's rental, and the car as it names it."""
_BEFORE = text("""
  select o.currency, -sum(o.amount)::bigint as amount from postings o join ledger_entries e on e.id = o.entry_id
  where o.account = 'owner_payable' and o.subject = any(:subjects) and e.at < :begin group by o.currency
""")
_ENTRIES = text(f"""
  select e.at, e.kind, e.rental_id, -o.amount as amount, o.currency, d.number, d.car,
    -f.platform as platform, -f.vat as vat, -f.insurer as insurer,
    case when f.vat <> 0 then coalesce(cast(pay.shares ->> 'vat_rate' as int), :unstated) end as vat_rate
  from postings o join ledger_entries e on e.id = o.entry_id
  cross join lateral (select
      coalesce(sum(p.amount) filter (where p.account = 'platform_revenue'), 0)::bigint as platform,
      coalesce(sum(p.amount) filter (where p.account = 'vat_payable'), 0)::bigint as vat,
      coalesce(sum(p.amount) filter (where p.account in ('premium_reserve', 'insurer_payable')), 0)::bigint as insurer
    from postings p where p.entry_id = e.id and p.currency = o.currency) f
  left join payments pay on pay.id = e.payment_id
  {_DOCUMENT}
  where o.account = 'owner_payable' and o.subject = any(:subjects) and e.at >= :begin and e.at < :end
  order by e.id, o.id
""")  # noqa: S608
"""Each entry with what platform, tax and insurer had of the same money: above zero is what they took."""
_PAYMENTS = text(f"""
  select e.at, e.kind, e.rental_id, o.amount, o.currency, d.number, d.car
  from payments p join ledger_entries e on e.payment_id = p.id join postings o on o.entry_id = e.id
  {_DOCUMENT}
  where p.person_id = :person and e.kind in ('capture', 'refund', 'refund_failed')
    and o.account in ('stripe_clearing', 'bank')
    and e.at >= :begin and e.at < :end
  order by e.id, o.id
""")  # noqa: S608
_FEES = ("platform", "vat", "insurer")


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
    """Their statement as the contract has it, instants written out: thousands of lines are not dumped one by one."""
    begin, end = month_of(month, zone)
    paid = plain(_PAYMENTS, {"person": bare(person, "per"), "begin": begin, "end": end})
    return _of([person, *_communities(person)], paid, month, begin, end)


def of_community(community: str, month: str, zone: str) -> dict[str, Any]:
    """What a community's own cars earned, in the reader's time zone. A community drives nothing, and pays nothing."""
    return _of([community], (), month, *month_of(month, zone))


def _of(
    subjects: list[str], paid: Sequence[Any], month: str, begin: datetime, end: datetime
) -> dict[str, Any]:
    span = {"begin": begin, "end": end}
    mine = {"subjects": subjects}
    before = {row.currency: int(row.amount) for row in plain(_BEFORE, {**mine, "begin": begin})}
    rows = plain(_ENTRIES, {**mine, **span, "unstated": share_tables.UNSTATED.vat_rate})
    return {
        "month": month,
        "balances": _balances(before, rows),
        "entries": [_entry(row) for row in rows],
        "paid": [{"amount": total, "currency": one} for one, total in sorted(_paid(paid).items())],
        "payments": [_line(row) for row in paid],
    }


def _communities(person: str) -> list[str]:
    """Communities whose earnings are this person's to read."""
    rows = session.scalars(
        select(Membership).where(Membership.person_id == person, Membership.ended_at.is_(None))
    )
    return [row.community_id for row in rows if access.runs(row)]


def _balances(before: dict[str, int], rows: Sequence[Any]) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        of_currency = sums[row.currency]
        of_currency[what(row.kind, row.amount)] += row.amount
        for fee in _FEES:
            of_currency[fee] += getattr(row, fee)
        if row.kind in OF_DRIVERS:
            of_currency["drivers_paid"] += row.amount + sum(getattr(row, fee) for fee in _FEES)
    rates = {
        one: sorted({row.vat_rate for row in rows if row.currency == one and row.vat_rate}) for one in sums
    }
    return [
        {**_balance(one, before.get(one, 0), sums[one]), "vat_rates": rates.get(one, [])}
        for one in sorted(before.keys() | sums.keys())
    ]


def _balance(currency: str, opening: int, sums: dict[str, int]) -> dict[str, Any]:
    moved = sum(sums[one] for one in WHAT)
    amounts = {
        "opening": opening,
        **{one: sums[one] for one in WHAT},
        "closing": opening + moved,
        "drivers_paid": sums["drivers_paid"],
    }
    return {
        **{name: {"amount": amount, "currency": currency} for name, amount in amounts.items()},
        "fees": {fee: {"amount": sums[fee], "currency": currency} for fee in _FEES},
    }


def _paid(rows: Sequence[Any]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row.currency] += row.amount
    return found


def _entry(row: Any) -> dict[str, Any]:
    fees = {name: {"amount": getattr(row, name), "currency": row.currency} for name in _FEES}
    return {
        **_line(row),
        "what": what(row.kind, row.amount),
        "fees": fees,
        "vat_rate": row.vat_rate,
    }


def _line(row: Any) -> dict[str, Any]:
    return {
        "at": z(row.at),
        "kind": row.kind,
        "rental": public(row.rental_id, "ren") if row.rental_id else None,
        "amount": {"amount": row.amount, "currency": row.currency},
        "document": row.number,
        "car": row.car,
    }
