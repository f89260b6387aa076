"""What the provider kept of a charge: posted once it is known."""

from app.billing import commands, ledger
from app.billing.models import Payment
from app.kit.db import session, transactional
from app.kit.errors import Unavailable
from app.kit.jobs import job
from payments.money import Money


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
    ledger.fee(commands.lock(payment), charge, fee)
