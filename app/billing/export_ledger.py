"""The ledger for accounting: CSV with a line for each posting, or beancount text with a transaction for each entry.

Nothing here knows which accounts and kinds there are: one that is new is exported like the others, its class told by the
ending of its name. Amounts are in units of their currency, debit above zero, as in the books.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.billing.ledger import VAT_PAYABLE
from app.billing.models import LedgerEntry, Payment, Posting
from app.kit.clock import z
from app.kit.db import session
from app.kit.locales import decimal_of, in_percent
from app.kit.media import csv_lines
from payments import share_tables
from payments.money import CURRENCIES

COLUMNS = (
    *("entry", "posting", "at", "date", "kind", "source_type", "source_id"),
    *("payment", "rental", "account", "account_path", "subject", "amount", "currency", "amount_minor"),
    "vat_rate",
)
"""docs/guides/accounting.md says what each is; new ones are only ever added at the end."""
CLASSES = (
    ("_payable", "Liabilities"),
    ("_reserve", "Liabilities"),
    ("_receivable", "Assets"),
    ("_clearing", "Assets"),
    ("_suspense", "Assets"),
    ("bank", "Assets"),
    ("_revenue", "Income"),
    ("_income", "Income"),
    ("_fees", "Expenses"),
    ("_debt", "Expenses"),
    ("_expense", "Expenses"),
    ("goodwill", "Expenses"),
)
"""Ending of an account's name -> what it is to beancount; any other is Equity, where somebody will look for it."""
_OTHER = "Equity"
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days [first, last] on the clocks of `zone`."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def instants(self) -> tuple[datetime, datetime]:
        begin = datetime.combine(self.first, time(), self.zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), self.zone)
        return begin.astimezone(UTC), end.astimezone(UTC)


def path_of(account: str) -> str:
    """An account of the books as beancount spells it: `owner_payable` is `Liabilities:Owner-Payable`."""
    kind = next((name for ending, name in CLASSES if account.endswith(ending)), _OTHER)
    words = [word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", account) if word]
    return f"{kind}:{'-'.join(words) or 'Unnamed'}"


def csv(span: Span) -> Iterator[str]:
    """Header and lines, in parts; the postings of an entry stand together and sum to zero."""
    yield csv_lines([COLUMNS])
    for lines in _entries(span):
        yield csv_lines(_line(line, span) for line in lines)


def _line(line: Any, span: Span) -> tuple[object, ...]:
    return (
        *(line.entry, line.posting, z(line.at), _day(line, span)),
        *(line.kind, line.source_type, line.source_id, line.payment, line.rental),
        *(line.account, path_of(line.account), line.subject),
        *(decimal_of(line.amount, line.currency), line.currency, line.amount),
        _rate(line),
    )


def _rate(line: Any) -> str | None:
    """The rate of a posting to the tax account, in percent."""
    if line.account != VAT_PAYABLE or line.payment is None:
        return None
    rate = (line.shares or {}).get("vat_rate", share_tables.UNSTATED.vat_rate)
    return in_percent(rate)


def beancount(span: Span) -> Iterator[str]:
    """A text that `bean-check` accepts: each account opened once, then a transaction for each entry."""
    yield "".join(f'option "operating_currency" "{currency}"\n' for currency in CURRENCIES)
    accounts = sorted({path_of(one) for one in session.scalars(select(Posting.account).distinct())})
    yield "\n" + "".join(f"1970-01-01 open {account}\n" for account in accounts)
    for lines in _entries(span):
        yield "\n" + "\n".join(_transaction(lines, span)) + "\n"


def _transaction(lines: Sequence[Any], span: Span) -> Iterator[str]:
    entry = lines[0]
    yield f"{_day(entry, span)} * {_quoted(entry.kind)} {_quoted(f'{entry.source_type} {entry.source_id}')}"
    yield f"  entry: {entry.entry}"
    yield f"  at: {_quoted(z(entry.at))}"
    for name, value in (("payment", entry.payment), ("rental", entry.rental)):
        if value is not None:
            yield f"  {name}: {_quoted(value)}"
    for line in lines:
        yield f"  {path_of(line.account)}  {decimal_of(line.amount, line.currency)} {line.currency}"
        if line.subject is not None:
            yield f"    subject: {_quoted(line.subject)}"


def _quoted(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _day(line: Any, span: Span) -> date:
    there: datetime = line.at.astimezone(span.zone)
    return there.date()


def _entries(span: Span) -> Iterator[Sequence[Any]]:
    """The postings of each entry of the span, in the order they were made; read in batches, kept nowhere."""
    begin, end = span.instants
    lines = (
        select(
            LedgerEntry.id.label("entry"),
            Posting.id.label("posting"),
            *(LedgerEntry.at, LedgerEntry.kind, LedgerEntry.source_type, LedgerEntry.source_id),
            *(LedgerEntry.payment_id.label("payment"), LedgerEntry.rental_id.label("rental")),
            *(Posting.account, Posting.subject, Posting.amount, Posting.currency),
            Payment.shares,
        )
        .join(Posting, Posting.entry_id == LedgerEntry.id)
        .outerjoin(Payment, Payment.id == LedgerEntry.payment_id)
        .where(LedgerEntry.at >= begin, LedgerEntry.at < end)
        .order_by(LedgerEntry.id, Posting.id)
        .execution_options(yield_per=_BATCH)
    )
    with closing(session.execute(lines)) as read:
        for _, group in groupby(read, key=lambda line: line.entry):
            yield list(group)
