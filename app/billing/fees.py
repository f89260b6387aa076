"""What the provider kept of a charge: posted once it is known.

In another currency than the payment's it is a difference instead: the provider changed the money, since it has no bank
account of ours in that currency, and what the books have of it lies nowhere.
"""

import structlog

from app.billing import commands, differences, ledger
from app.billing.models import Payment
from app.kit.db import session, transactional
from app.kit.errors import Unavailable
from app.kit.jobs import job
from payments.money import Money

log = structlog.get_logger(__name__)


@job("payment_fee")
def payment_fee(payment: str) -> None:
    """Post the fee; while it is not known the job comes back."""
    charge = _charge(payment)
    if charge is None:
        return
    fee = commands.door().fee_of(charge)
    if fee is None:
        raise Unavailable("The fee is not known yet.")
    _post(payment, charge, fee)


@transactional
def _charge(payment: str) -> str | None:
    row = session.get(Payment, payment, populate_existing=True)
    return row.charge_id if row else None


@transactional
def _post(payment: str, charge: str, fee: Money) -> None:
    row = commands.lock(payment)
    if fee.currency == row.currency:
        ledger.fee(row, charge, fee)
    else:
        log.error("a payment was settled in another currency", payment=payment, fee=str(fee))
        differences.keep([differences.settled_elsewhere(row.id, row.currency, fee)], whole=False)
