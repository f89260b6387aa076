"""The report of what differs between our books and the provider: kept until a later comparison no longer finds it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from app.kit import clock
from app.kit.db import Model, session, transactional
from payments.money import Money


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on two sides: ours and theirs in words, None where it is missing; `mended` as it was found."""

    kind: str
    subject: str
    ours: str | None
    theirs: str | None
    money: Money | None = None
    mended: bool = False


class PaymentDifference(Model):
    """A difference that stands: found again at each comparison, gone when it is no longer found."""

    __tablename__ = "payment_differences"
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


@transactional
def keep(found: Sequence[Difference], *, whole: bool) -> None:
    """Write the report; after a `whole` comparison what was not found again is gone."""
    now = clock.now()
    for one in found:
        if one.mended:
            continue
        values = {
            "ours": one.ours,
            "theirs": one.theirs,
            "amount": one.money.amount if one.money else None,
            "currency": one.money.currency if one.money else None,
            "last_at": now,
        }
        row = insert(PaymentDifference).values(kind=one.kind, subject=one.subject, first_at=now, **values)
        session.execute(row.on_conflict_do_update(index_elements=["kind", "subject"], set_=values))
    if whole:
        session.execute(delete(PaymentDifference).where(PaymentDifference.last_at < now))


ELSEWHERE = "settled_elsewhere"


def settled_elsewhere(payment: str, currency: str, fee: Money) -> Difference:
    """The provider put a payment into its balance of another currency."""
    return Difference(ELSEWHERE, payment, currency, fee.currency, fee)


COLUMNS = ("kind", "what", "ours", "theirs", "minor units", "mended")


def table(found: Sequence[Difference]) -> Iterator[str]:
    """The report in lines, and the count."""
    cells = [COLUMNS, *(_cells(one) for one in found)]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells if found else ():
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, wide, strict=True)).rstrip()
    open_ = sum(not one.mended for one in found)
    yield f"{len(found)} differences, {open_} of them to be looked at" if found else "nothing differs"


def _cells(one: Difference) -> tuple[str, ...]:
    money = f"{one.money.amount} {one.money.currency}" if one.money else "-"
    return one.kind, one.subject, one.ours or "-", one.theirs or "-", money, "yes" if one.mended else "no"


def standing() -> list[PaymentDifference]:
    """What is not explained yet, the oldest first."""
    return list(session.scalars(select(PaymentDifference).order_by(PaymentDifference.first_at)))
