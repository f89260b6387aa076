"""The doors to the outside world, as Protocols; who stands behind them is decided in wsgi.py."""

from dataclasses import dataclass

from app.kit.storage import Storage
from insurance.partners import Partners
from notifications.mail import Mail
from notifications.push import Push
from payments.disputes import Disputes
from payments.gateway import Payments
from payments.payouts import Payouts


@dataclass(frozen=True, slots=True)
class Doors:
    """What the processes use of the outside; None where the settings name nobody. The car box is boxlink's alone."""

    insurers: Partners
    payments: Payments | None
    push: Push | None
    mail: Mail | None
    payouts: Payouts | None = None
    disputes: Disputes | None = None
    storage: Storage | None = None
