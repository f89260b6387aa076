"""The books: double entry, append-only; each entry sums to zero per currency, which the database checks at commit."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.billing.models import LedgerEntry, Payment, Posting
from app.billing.states import APART
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotFound
from app.kit.facts import FactRow
from app.kit.jobs import defer
from payments import share_tables
from payments.money import Money
from payments.split import Shares, ShareTable, split_captured, split_refund

STRIPE_CLEARING = "stripe_clearing"
OWNER_PAYABLE = "owner_payable"
INSURER_PAYABLE = "insurer_payable"
PREMIUM_RESERVE = "premium_reserve"
PLATFORM_REVENUE = "platform_revenue"
VAT_PAYABLE = "vat_payable"
PROCESSOR_FEES = "processor_fees"
DISPUTE_SUSPENSE = "dispute_suspense"
BAD_DEBT = "bad_debt"
MEMBER_RECEIVABLE = "member_receivable"
UNCOLLECTED = "uncollected_payable"
REFUND_PAYABLE = "refund_payable"
REFUND_RECEIVABLE = "refund_receivable"
BANK = "bank"
ACCOUNTS = (
    STRIPE_CLEARING,
    OWNER_PAYABLE,
    INSURER_PAYABLE,
    PREMIUM_RESERVE,
    PLATFORM_REVENUE,
    VAT_PAYABLE,
    PROCESSOR_FEES,
    DISPUTE_SUSPENSE,
    BAD_DEBT,
    MEMBER_RECEIVABLE,
    UNCOLLECTED,
    BANK,
)
EARNING = ("capture", "refund", "refund_failed")
"""Entries that say who earns what of a payment; transfers and disputes move what was earned."""
INSURERS_PART = (PREMIUM_RESERVE, INSURER_PAYABLE)
"""Where the insurers' part of a payment stands: entries from before there was a reserve have it on the second."""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting to be: debit above zero, credit below; `subject` is whose account it is."""

    account: str
    money: Money
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry to be. (source_type, source_id, kind) is posted at most once."""

    kind: str
    source_type: str
    source_id: str
    lines: tuple[Line, ...]
    payment: str | None = None
    rental: str | None = None
    fact_seq: int | None = None


def post(entry: Entry) -> int | None:
    """Write an entry; its id, or None when its source is in the books already. Within a transaction."""
    statement = insert(LedgerEntry).values(
        kind=entry.kind,
        source_type=entry.source_type,
        source_id=entry.source_id,
        payment_id=entry.payment,
        rental_id=entry.rental,
        fact_seq=entry.fact_seq,
        at=clock.now(),
    )
    made = session.execute(statement.on_conflict_do_nothing().returning(LedgerEntry.id)).scalar()
    if made is None:
        return None
    for line in entry.lines:
        if line.money:
            session.add(
                Posting(
                    entry_id=made,
                    account=line.account,
                    subject=line.subject,
                    amount=line.money.amount,
                    currency=line.money.currency,
                )
            )
    session.flush()
    return int(made)


def captured(payment: Payment, money: Money, fact_seq: int) -> None:
    """A capture or charge succeeded: the provider owes us all, we owe the shares. Its fee follows by a job."""
    shares = split_captured(money, table_of(payment), payment.money(payment.energy))
    lines = (Line(STRIPE_CLEARING, money), *_shares(shares, payment.payee, -1))
    post(_entry("capture", "payment", payment.id, payment, lines, fact_seq))
    if payment.charge_id:
        defer("payment_fee", lock=payment.charge_id, payment=payment.id)


def table_of(payment: Payment) -> ShareTable:
    """Who gets what of a payment, as frozen with its quote."""
    if payment.shares:
        return ShareTable.from_dict(payment.shares)
    return share_tables.UNDIVIDED if payment.purpose in APART else share_tables.UNSTATED


def refunded(payment: Payment, money: Money, command: str, fact_seq: int) -> None:
    """A refund: everybody gives back in proportion to what they still have of this payment."""
    lines = (*_given_back(payment, money), Line(STRIPE_CLEARING, -money))
    post(_entry("refund", "command", command, payment, lines, fact_seq))


def refunded_by_bank(payment: Payment, money: Money, reference: str, fact_seq: int) -> None:
    """The same from our own bank account; the source is the reference it has there."""
    lines = (Line(BANK, -money), *_given_back(payment, money))
    post(_entry("refund", "bank", reference, payment, lines, fact_seq))


def _given_back(payment: Payment, money: Money) -> tuple[Line, ...]:
    return _shares(split_refund(money, remaining(payment)), payment.payee, 1)


def refund_failed(payment: Payment, command: str) -> None:
    """The bank sent a refund back: the entry of that refund is turned round; what insurers gave of it is the reserve's."""
    entry = session.scalar(
        select(LedgerEntry).where(
            LedgerEntry.source_type == "command",
            LedgerEntry.source_id == command,
            LedgerEntry.kind == "refund",
        )
    )
    if entry is not None:
        lines = tuple(
            Line(PREMIUM_RESERVE if row.account in INSURERS_PART else row.account, -_money(row), row.subject)
            for row in postings(entry.id)
        )
        post(_entry("refund_failed", "command", command, payment, lines, None))


def fee(payment: Payment, charge: str, money: Money) -> None:
    """What the provider kept, in the currency it settles in."""
    lines = (Line(PROCESSOR_FEES, money), Line(STRIPE_CLEARING, -money))
    post(_entry("fee", "charge", charge, payment, lines, None))


def claimed(payment: Payment, amount: int, kind: str) -> None:
    """What the books claim of a payment's driver becomes `amount`. The payment is locked.

    Against it stands what will be due to owner, insurer, platform and tax once it is paid: until then nobody has earned
    it, so that giving it up costs nobody what they had.
    """
    more = payment.money(amount - payment.receivable)
    if not more:
        return
    count = select(func.count()).where(
        LedgerEntry.payment_id == payment.id, LedgerEntry.source_type == "arrears"
    )
    lines = (Line(MEMBER_RECEIVABLE, more, payment.person_id), Line(UNCOLLECTED, -more))
    post(_entry(kind, "arrears", f"{payment.id}:{session.scalar(count)}", payment, lines, None))
    payment.receivable = amount


def promised(payment: Payment, amount: int) -> None:
    """What the books say the driver was promised back becomes `amount`. The payment is locked.

    Against it stands what owner, insurer, platform and tax will give of what they had, in the moment it is given.
    """
    stands = (
        select(func.coalesce(-func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(LedgerEntry.payment_id == payment.id, Posting.account == REFUND_PAYABLE)
    )
    more = payment.money(amount - int(session.scalar(stands) or 0))
    if not more:
        return
    count = select(func.count()).where(
        LedgerEntry.payment_id == payment.id, LedgerEntry.source_type == "promise"
    )
    kind = "refund_promised" if more.amount > 0 else "refund_settled"
    lines = (Line(REFUND_RECEIVABLE, more), Line(REFUND_PAYABLE, -more, payment.person_id))
    post(_entry(kind, "promise", f"{payment.id}:{session.scalar(count)}", payment, lines, None))


def written_off(payment: Payment) -> int:
    """How much of it was given up by the books."""
    kinds = ("write_off", "write_off_reversed")
    total = (
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            LedgerEntry.payment_id == payment.id,
            LedgerEntry.kind.in_(kinds),
            Posting.account == MEMBER_RECEIVABLE,
        )
    )
    return -int(session.scalar(total) or 0)


def _entry(
    kind: str, source_type: str, source: str, payment: Payment, lines: tuple[Line, ...], fact_seq: int | None
) -> Entry:
    return Entry(kind, source_type, source, lines, payment.id, payment.rental_id, fact_seq)


def _shares(shares: Shares, payee: str, sign: int) -> tuple[Line, ...]:
    return (
        Line(OWNER_PAYABLE, shares.owner * sign, payee),
        Line(PREMIUM_RESERVE, shares.insurer * sign),
        Line(PLATFORM_REVENUE, shares.platform * sign),
        Line(VAT_PAYABLE, shares.vat * sign),
    )


def remaining(payment: Payment) -> Shares:
    """What each has earned of a payment and not given back, by the books; whether it was paid out is no matter."""
    return _earned([payment])


def of_rental_part(rental: str, *, requests: bool) -> tuple[Shares, ShareTable] | None:
    """The same of all payments for its price, or of those for charge requests, and their table; None without any."""
    paid = select(Payment).where(Payment.rental_id == rental).order_by(Payment.id)
    rows = [row for row in session.scalars(paid) if (row.purpose in APART) == requests]
    return (_earned(rows), table_of(rows[0])) if rows else None


def _earned(payments: Sequence[Payment]) -> Shares:
    rows = session.execute(
        select(Posting.account, func.sum(Posting.amount))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(LedgerEntry.payment_id.in_([one.id for one in payments]), LedgerEntry.kind.in_(EARNING))
        .group_by(Posting.account)
    ).all()
    first = payments[0]
    has = {account: -int(total) for account, total in rows}
    each = ((OWNER_PAYABLE,), INSURERS_PART, (PLATFORM_REVENUE,), (VAT_PAYABLE,))
    return Shares(*(first.money(sum(has.get(one, 0) for one in accounts)) for accounts in each))


def balances(account: str, currency: str, subject: str | None = None) -> Money:
    """The balance of an account: debit above zero, credit below."""
    found = select(func.coalesce(func.sum(Posting.amount), 0)).where(
        Posting.account == account, Posting.currency == currency
    )
    if subject is not None:
        found = found.where(Posting.subject == subject)
    return Money.from_dict({"amount": int(session.scalar(found) or 0), "currency": currency})


def trial_balance(at: int | None = None) -> dict[str, dict[str, int]]:
    """Currency -> account -> balance in minor units; every currency sums to zero.

    As it stands, or as it was at a position of the total order. Raises NotFound for one that no fact has.
    """
    sums = select(Posting.currency, Posting.account, func.sum(Posting.amount))
    if at is not None:
        sums = sums.join(LedgerEntry, LedgerEntry.id == Posting.entry_id).where(_up_to(at))
    rows = session.execute(
        sums.group_by(Posting.currency, Posting.account).order_by(Posting.currency, Posting.account)
    )
    found: dict[str, dict[str, int]] = {}
    for currency, account, amount in rows:
        found.setdefault(currency, {})[account] = int(amount)
    return found


def _up_to(position: int) -> ColumnElement[bool]:
    """Entries of facts up to there; those of none by their instant, so that a later position never has fewer."""
    if session.scalar(select(FactRow.seq).where(FactRow.position == position)) is None:
        raise NotFound
    earlier = select(FactRow).where(FactRow.position <= position).subquery()
    latest = select(func.max(earlier.c.at)).scalar_subquery()
    return or_(
        LedgerEntry.fact_seq.in_(select(earlier.c.seq)),
        and_(LedgerEntry.fact_seq.is_(None), LedgerEntry.at <= latest),
    )


def of_rental(rental: str) -> Sequence[tuple[LedgerEntry, Sequence[Posting]]]:
    """Every entry of a rental with its postings, oldest first."""
    entries = session.scalars(
        select(LedgerEntry).where(LedgerEntry.rental_id == rental).order_by(LedgerEntry.id)
    ).all()
    return [(entry, postings(entry.id)) for entry in entries]


def postings(entry: int) -> Sequence[Posting]:
    return session.scalars(select(Posting).where(Posting.entry_id == entry).order_by(Posting.id)).all()


def _money(row: Posting) -> Money:
    return Money.from_dict({"amount": row.amount, "currency": row.currency})
