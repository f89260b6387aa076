"""Receipts and credit notes of what a driver paid for a rental: numbered without gaps, chained, never changed.

What the documents of a rental add up to is what was taken for it and not given back. Where that has moved, the next
document is the difference: a receipt for more, a credit note for less. So news that comes late, twice or in another
order issues nothing twice, and a correction never touches what was issued.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import func, select, text

from app.billing import ledger
from app.billing.document_models import Document, DocumentSeries
from app.billing.models import Payment
from app.billing.states import APART, CHARGE_REQUEST, DEPOSIT, OVERPAID, State
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session, transactional
from app.kit.keys import settings
from app.people.register import ZONE_OF
from payments.money import Money
from payments.split import Shares

RECEIPT, CREDIT_NOTE = "receipt", "credit_note"
PRICE, REQUESTS = "price", CHARGE_REQUEST
"""The parts of a rental that have documents of their own."""
_AT_REST = (State.CAPTURED, State.REFUNDED, State.RELEASED, State.DISPUTED, State.ARREARS, State.WRITTEN_OFF)
_NEXT = text(
    "insert into document_series as s (name, last, last_at, head) values (:name, 1, :at, '')"
    " on conflict (name) do update set last = s.last + 1, last_at = greatest(s.last_at, excluded.last_at)"
    " returning last, last_at, head"
)
"""The row of a series stays locked until the transaction ends, and one that fails gives its number back: a sequence
of the database would do neither."""


def of(rental: str) -> Sequence[Document]:
    """Every document of a rental, in the order they were issued."""
    return session.scalars(
        select(Document).where(Document.rental_id == rental).order_by(Document.issued_at, Document.no)
    ).all()


def missing(rental: str, *, at_last: bool = False) -> list[tuple[str, Money]]:
    """(part, difference) for each part whose documents are behind its payments; not while a payment is on its way.

    `at_last`: what was taken is documented whatever still moves.
    """
    paid = _paid(rental, at_last=at_last)
    if not paid:
        return []
    rows = session.execute(
        select(Document.part, func.sum(Document.amount))
        .where(Document.rental_id == rental)
        .group_by(Document.part)
    ).all()
    said = {part: int(total) for part, total in rows}
    found = [(part, money - Money(said.get(part, 0), money.currency)) for part, money in paid.items()]
    return [(part, money) for part, money in found if money]


def _paid(rental: str, *, at_last: bool) -> dict[str, Money]:
    rows = session.scalars(
        select(Payment).where(Payment.rental_id == rental).execution_options(populate_existing=True)
    ).all()
    found: dict[str, Money] = {}
    for part in (PRICE, REQUESTS):
        mine = [row for row in rows if (row.purpose in APART) == (part == REQUESTS) and not _is_kept(row)]
        if mine and (at_last or all(row.state in _AT_REST for row in mine)):
            found[part] = mine[0].money(sum(row.captured - row.refunded for row in mine))
    return found


def shares_of(rental: str, part: str, money: Money) -> dict[str, Any] | None:
    """Who gets what of the next document, by the books: all they hold for the part, less what earlier documents said.

    None where they do not come to `money`, or an earlier document did not say it.
    """
    earlier = [one for one in of(rental) if one.part == part]
    found = ledger.of_rental_part(rental, requests=part == REQUESTS)
    if found is None or any(one.payload.get("shares") is None for one in earlier):
        return None
    shares, table = found
    for one in earlier:
        shares = shares - Shares.from_dict(one.payload["shares"])
    if shares.total != money:
        return None
    return {**shares.to_dict(), "vat_rate": table.vat_rate}


def _is_kept(row: Payment) -> bool:
    """A deposit that no hearing has taken of, or what was paid twice: no paper tells of what is merely held."""
    return row.purpose in (DEPOSIT, OVERPAID) and not row.owed


@transactional
def issue(*, rental: str, part: str, money: Money, country: str, payload: dict[str, Any]) -> Document:
    """The next document of the country's series: a receipt where `money` is above zero, else a credit note.

    The caller holds the rental's row, and locks nothing after this: whoever issues next waits for its commit.
    """
    earlier = [one for one in of(rental) if one.part == part and one.kind == RECEIPT]
    corrects = None if money.amount > 0 else earlier[-1]
    series = _series(country, clock.now())
    session.flush()
    row = session.execute(_NEXT, {"name": series, "at": clock.now()}).one()
    document = Document(
        series=series,
        no=row.last,
        kind=RECEIPT if corrects is None else CREDIT_NOTE,
        rental_id=rental,
        part=part,
        corrects_id=corrects.id if corrects else None,
        amount=money.amount,
        currency=money.currency,
        payload={
            **payload,
            "issuer": list(settings().issuer),
            "country": country,
            "issued_at": z(row.last_at),
            "corrects": corrects.number if corrects else None,
        },
        hash=b"",
        issued_at=row.last_at,
    )
    document.hash = digest(document, bytes(row.head))
    session.add(document)
    session.flush()
    session.execute(
        text("update document_series set head = :head where name = :name"),
        {"head": document.hash, "name": series},
    )
    return document


def _series(country: str, at: datetime) -> str:
    """One for each country and calendar year there, as its law numbers invoices."""
    return f"{settings().invoice_prefix}-{country}-{at.astimezone(ZoneInfo(ZONE_OF[country])).year}"


def digest(document: Document, before: bytes) -> bytes:
    """SHA-256 over the hash of the document before it in its series and the canonical JSON of this one."""
    content = {
        "number": document.number,
        "kind": document.kind,
        "rental": document.rental_id,
        "part": document.part,
        "amount": document.amount,
        "currency": document.currency,
        "payload": document.payload,
    }
    return hashlib.sha256(before + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def broken(series: str) -> str | None:
    """The number of the first document whose hash does not follow from those before it, or that is missing."""
    before, expected = b"", 1
    rows = select(Document).where(Document.series == series).order_by(Document.no)
    with closing(session.scalars(rows.execution_options(populate_existing=True, yield_per=500))) as read:
        for row in read:
            if row.no != expected or row.hash != digest(row, before):
                return row.number
            before, expected = row.hash, expected + 1
    last = session.get(DocumentSeries, series, populate_existing=True)
    if last is not None and (last.last != expected - 1 or bytes(last.head) != before):
        return f"{series}-{expected:06d}"
    return None
