"""The four doors to the outside world, as Protocols; who stands behind them is decided in wsgi.py."""

from dataclasses import dataclass

from carbox.box import CarBox
from insurance.partner import Insurer
from notifications.mail import Mail
from notifications.push import Push
from payments.gateway import Payments


@dataclass(frozen=True, slots=True)
class Doors:
    """What the processes use of the outside; None where a process must not use it (`box` is boxlink's alone)."""

    insurers: dict[str, Insurer]
    payments: Payments | None
    push: Push | None
    mail: Mail | None
    box: CarBox | None = None
