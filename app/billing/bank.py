"""What went in and out of the platform's own bank account, and what the payment provider kept beside its fees of charges.

An operator reads it on the bank's or the provider's statement. Each movement is posted once, by its kind and the reference
it has outside; of the bank's never more than the books say is there.
"""

from sqlalchemy import select, text

from app.billing import ledger
from app.billing.insurer_account import PAID
from app.billing.ledger import (
    BANK,
    INSURER_PAYABLE,
    PROCESSOR_FEES,
    STRIPE_CLEARING,
    VAT_PAYABLE,
    Entry,
    Line,
)
from app.billing.models import LedgerEntry, Payment
from app.kit.db import session
from app.kit.errors import AlreadyExists, StepNotAllowed
from app.kit.locales import decimal_of
from payments.money import Money

VAT_PAID, PROVIDER_PAYOUT, PAYOUT_FAILED = "vat_paid", "provider_payout", "provider_payout_failed"
PROVIDER_FEE = "provider_fee"
SOURCE = "bank"
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(7012)")


def insurer_paid(insurer: str, money: Money, reference: str) -> bool:
    """An insurer's statement was paid. As each of these: False when the books say so already.

    Raises StepNotAllowed above what stands on the account, AlreadyExists for another amount under the same reference.
    """
    return _posted(PAID, Line(INSURER_PAYABLE, money, insurer), reference)


def vat_paid(money: Money, reference: str) -> bool:
    """Tax was paid to a tax office."""
    return _posted(VAT_PAID, Line(VAT_PAYABLE, money), reference)


def provider_paid_out(money: Money, reference: str) -> bool:
    """The payment provider paid of the platform's own balance to its bank."""
    return _posted(PROVIDER_PAYOUT, Line(STRIPE_CLEARING, -money), reference)


def provider_payout_failed(money: Money, reference: str) -> bool:
    """That payout came back, days later, and lies at the provider again. Raises StepNotAllowed where no book has it."""
    session.execute(_ONE_AT_A_TIME)
    back = Line(STRIPE_CLEARING, money)
    if _known(PAYOUT_FAILED, back, named(reference)):
        return False
    if not _known(PROVIDER_PAYOUT, Line(STRIPE_CLEARING, -money), named(reference)):
        raise StepNotAllowed(f"No payout {named(reference)} is in the books.")
    _post(PAYOUT_FAILED, back, Line(BANK, -money), reference)
    return True


def provider_fee(money: Money, reference: str) -> bool:
    """The provider took a fee of no single charge: for accounts, payouts, fraud rules. It may take more than lies there."""
    session.execute(_ONE_AT_A_TIME)
    taken = Line(STRIPE_CLEARING, -money)
    if _known(PROVIDER_FEE, taken, named(reference)):
        return False
    _post(PROVIDER_FEE, taken, Line(PROCESSOR_FEES, money), reference)
    return True


def named(reference: str) -> str:
    """A reference as the books have it: copied with a blank more, it is the same payment."""
    return " ".join(reference.split())


def is_new_refund(payment: Payment, money: Money, reference: str) -> bool:
    """Whether the books know nothing of a refund with that reference. Within a transaction. Raises AlreadyExists."""
    session.execute(_ONE_AT_A_TIME)
    return not _known("refund", Line(BANK, -money), named(reference), payment.id)


def _posted(kind: str, line: Line, reference: str) -> bool:
    """The line with the bank against it. Within a transaction, one at a time: two payments see each other."""
    session.execute(_ONE_AT_A_TIME)
    if _known(kind, line, named(reference)):
        return False
    balance = ledger.balances(line.account, line.money.currency, line.subject)
    there = balance if line.money < Money.zero(line.money.currency) else -balance
    if abs(line.money.amount) > there.amount:
        most = f"{decimal_of(max(there.amount, 0), there.currency)} {there.currency}"
        raise StepNotAllowed(f"No more than {most} stands on {line.account}.")
    _post(kind, line, Line(BANK, -line.money), reference)
    return True


def _post(kind: str, line: Line, against: Line, reference: str) -> None:
    ledger.post(Entry(kind, SOURCE, named(reference), (line, against)))


def _known(kind: str, line: Line, reference: str, payment: str | None = None) -> bool:
    entry = session.scalar(
        select(LedgerEntry).where(
            LedgerEntry.source_type == SOURCE,
            LedgerEntry.source_id == reference,
            LedgerEntry.kind == kind,
        )
    )
    if entry is None:
        return False
    first = ledger.postings(entry.id)[0]
    was = (entry.payment_id, first.account, first.subject, first.amount, first.currency)
    if was != (payment, line.account, line.subject, line.money.amount, line.money.currency):
        raise AlreadyExists(f"{reference} is in the books as another payment.")
    return True
