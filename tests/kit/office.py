"""What operators act on in a town: payments in trouble, money to be moved, a car that is out, a driver an insurer refused.

Each look finds it so that the step may be taken, however often it was taken before.
"""

import itertools
from dataclasses import replace
from datetime import timedelta
from functools import cached_property

from app.billing import bank, insurer_account, ledger, refused_refund, write_off
from app.billing.insurer_account import Premium
from app.billing.ledger import Entry, Line
from app.billing.models import Payment
from app.coverage import blocks
from app.kit.db import new_id, session
from app.rentals.lifecycle import State
from payments.money import Money
from tests.claims import hearing
from tests.coverage.factories import doing
from tests.messages import stage
from tests.operator import in_trouble
from tests.rentals.scene import Scene, make

MUCH, CENT = Money(10**6, "EUR"), Money(1, "EUR")


class Office:
    """Ids alone. `cover` is one of the insurer's, `stranger` a person of whom nobody wants anything else."""

    def __init__(self, insurer: str, cover: str, stranger: str) -> None:
        self.insurer, self.cover, self.stranger = insurer, cover, stranger
        self._days = itertools.count(1)
        self._scene: Scene | None = None

    # -- payments

    @cached_property
    def _cast(self) -> stage.Cast:
        return stage.cast()

    def _of_new_rental(self) -> stage.Cast:
        """The same people with another rental: each has one payment of its price."""
        cast = self._cast
        starts = stage.START + next(self._days) * timedelta(days=1)
        return replace(cast, rental=stage.rental(cast.car, cast.community, cast.max, starts))

    def _paid(self) -> str:
        return in_trouble.paid(self._of_new_rental()).id

    @staticmethod
    def _now(payment: str) -> Payment:
        session.rollback()
        return session.get_one(Payment, payment)

    @cached_property
    def captured(self) -> str:
        return self._paid()

    @cached_property
    def _capturing(self) -> str:
        return self._paid()

    @property
    def stuck(self) -> str:
        """Its capture waits for an operator."""
        in_trouble.capture_stuck(self._now(self._capturing))
        return self._capturing

    @cached_property
    def _refunding(self) -> str:
        return self._paid()

    @property
    def refused(self) -> str:
        """A cent that was promised back waits for an operator."""
        row = self._now(self._refunding)
        if not refused_refund.stuck(row):
            in_trouble.refund_stuck(row, CENT.amount)
        return self._refunding

    @cached_property
    def _owing(self) -> str:
        return in_trouble.in_arrears(self._of_new_rental()).id

    @property
    def owed(self) -> str:
        """In arrears; once it was written off, after one more try in vain."""
        self._now(self._owing).state = "arrears"
        session.commit()
        return self._owing

    @cached_property
    def written_off(self) -> str:
        return write_off.write_off(in_trouble.in_arrears(self._of_new_rental()).id).id

    @cached_property
    def dispute(self) -> str:
        return in_trouble.disputed(in_trouble.paid(self._of_new_rental()))

    @cached_property
    def warning(self) -> str:
        return in_trouble.warned(in_trouble.paid(self._of_new_rental()))

    # -- the bank

    @cached_property
    def has_money(self) -> bool:
        """There is much at the provider, and as much owed to the tax office."""
        lines = (Line(ledger.STRIPE_CLEARING, MUCH), Line(ledger.VAT_PAYABLE, -MUCH))
        return doing(ledger.post, Entry("capture", "test", new_id("tst"), lines)) is not None

    @property
    def new_payout(self) -> str:
        """The reference of a cent that the provider paid out."""
        assert self.has_money
        reference = new_id("ref")
        assert doing(bank.provider_paid_out, CENT, reference)
        return reference

    @cached_property
    def owed_insurer(self) -> str:
        doing(insurer_account.owe, Premium(self.insurer, new_id("cov"), 3, new_id("ren"), MUCH))
        return self.insurer

    # -- rentals and drivers

    @property
    def out(self) -> str:
        """A rental whose car is out."""
        session.rollback()
        if self._scene is None or self._scene.rental.state == State.ENDED:
            self._scene = make()
            hearing.take_out(self._scene)
        return self._scene.rental_id

    @property
    def blocked(self) -> str:
        """The stranger, whom the insurer has refused."""
        session.rollback()
        doing(blocks.block, self.insurer, self.stranger, self.cover, "tests")
        return self.stranger
