"""What the model of money plays with: drivers, rentals, an owner; and what must be true, now and once all is calm."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text

from app.billing import (
    advance,
    capture,
    charge_extra,
    deposit,
    hold,
    ledger,
    owed,
    pickup,
    promises,
    reconcile,
    retry,
    transfer,
    work,
)
from app.billing.differences import Difference
from app.billing.models import Customer, LedgerEntry, Payment, PaymentCommand, Posting
from app.billing.payout_models import Dispute, Transfer
from app.billing.states import APART, DEPOSIT, OWING, TAKEN, State, TransferState
from app.facts import RentalCancelled, RentalEnded
from app.kit import clock, jobs
from app.kit.db import new_id, release, session, transactional
from app.kit.deadlines import Deadline
from app.people.models import Person
from payments import share_tables
from payments.gateway import PaymentsRefused
from payments.money import LEAST, Money
from tests.billing.desk import DUE, VISA, Desk
from tests.billing.own_double import OwnDouble
from tests.billing.torn import Torn

OVER = (
    *(one.value for one in TAKEN),
    *(State.RELEASED.value, State.ARREARS.value, State.ACTION_REQUIRED.value, State.WRITTEN_OFF.value),
)
STILL = (State.HOLD_DUE.value, State.HELD.value, State.HOLD_FAILED.value, *OVER)
CURRENCY_OF = {"FR": "EUR", "DE": "EUR", "GB": "GBP", "CH": "CHF"}
ROUNDS = 12
"""So often at most workers and due-runner take turns until nothing is left."""


@dataclass
class Priced:
    """A rental as the model knows it: `total` is None until it is over."""

    id: str
    driver: str
    currency: str
    price: int
    ends_at: datetime
    total: int | None = None


class Till(Desk):
    """A desk at a provider of its own, with a view of all its rentals."""

    def __init__(self, app: Flask, double: OwnDouble, torn: Torn) -> None:
        double.forget_all()
        super().__init__(app, double)  # type: ignore[arg-type]  # the same verbs
        self.own, self.torn = double, torn
        self.rentals: list[Priced] = []
        self.drivers: dict[str, tuple[Person, str]] = {}
        self.refused: list[PaymentsRefused] = []
        self.unpayable: list[str] = []
        hold.ON_HOLD_IMPOSSIBLE[:] = [self.unpayable.append]
        self.heard: list[Priced] = []
        self.decided: dict[str, int] = {}
        deposit.IN_HEARING[:] = [lambda rental: any(one.id == rental for one in self.heard)]
        self.owner()
        release()

    # -- what people do

    def customer(self, number: str) -> tuple[Person, str]:
        """The driver who came with that card."""
        if number not in self.drivers:
            self.drivers[number] = self.driver(number)
        return self.drivers[number]

    def book(
        self,
        number: str,
        amount: int,
        country: str,
        hours: int,
        *,
        present: bool,
        deposited: int = 0,
        days: int = 1,
    ) -> Priced:
        """A rental of a car in that country: its currency, its shares. Of what is held a tenth is the allowance."""
        driver, card = self.customer(number)
        currency = CURRENCY_OF[country]
        ends_at = clock.now() + timedelta(hours=hours, days=days)
        rental = Priced(new_id("ren"), driver.id, currency, amount - amount // 10, ends_at)
        self._plan(
            rental=rental.id,
            driver=driver.id,
            payee=self.payee,
            community=None,
            amount=Money.from_dict({"amount": amount, "currency": currency}),
            starts_at=clock.now() + timedelta(hours=hours),
            card=card,
            on_session=present,
            deposited=Money.from_dict({"amount": deposited, "currency": currency}),
            shares=share_tables.of(country),
        )
        release()
        self.rentals.append(rental)
        return rental

    def over(self, rental: Priced, total: int) -> None:
        """It ends with that price, or a late record of the box says that it did."""
        again, rental.total = rental.total is not None, total
        now = clock.now()
        capture.settle_end(rental.id, Money.from_dict({"amount": total, "currency": rental.currency}))
        if not again:
            transactional(capture.on_ended)(RentalEnded(rental.id, now, total, rental.currency, "box"))
        release()

    def picked_up(self, rental: Priced) -> None:
        price = Money.from_dict({"amount": rental.price, "currency": rental.currency})
        pickup.picked_up(rental.id, rental.ends_at, price)
        release()

    def called_off(self, rental: Priced, share: int) -> None:
        rental.total = share
        transactional(capture.on_cancelled)(RentalCancelled(rental.id, "driver", "plans", share))
        release()

    def claimed(self, rental: Priced, amount: int) -> None:
        """A charge request of the rental was closed, for something else than damage."""
        self._charged(rental, amount)
        release()

    @transactional
    def damage_closed(self, rental: Priced, amount: int) -> None:
        """A hearing about damage was closed with that amount, nothing where it was withdrawn."""
        self.heard.remove(rental)
        if amount:
            taken_of, left = deposit.take(rental.id, amount)
            if taken_of is not None:
                self.decided[taken_of] = amount - left
            if left:
                self._charged(rental, left)
        deposit.hearing_over(rental.id)

    def _charged(self, rental: Priced, amount: int) -> None:
        charge_extra.charge_extra(
            rental=rental.id,
            driver=rental.driver,
            payee=self.payee,
            community=None,
            amount=Money.from_dict({"amount": amount, "currency": rental.currency}),
            starts_at=clock.now(),
        )

    def mood(self, number: str, driver: str) -> None:
        """From now on the driver's bank treats their cards so."""
        release()
        row = session.get(Customer, driver)
        if row is not None and row.external_id is not None:
            self.own.moods(row.external_id, number)
        release()

    # -- workers and time

    def works(self, *, twice: bool = False) -> None:
        """Workers do what waits; `twice`: each job is run once more, as after a worker that died before it said so."""
        for error in self.jobs():
            self.judge(error)
        if twice:
            for payment in self.rows():
                for name in ("payment_command", "owner_command"):
                    self._try(name, payment=payment.id)
        self._react()

    def judge(self, error: BaseException) -> None:
        if jobs.is_temporary(error):
            return
        if not isinstance(error, PaymentsRefused):
            raise error
        self.refused.append(error)

    def sends_one(self, payment: str) -> None:
        """The oldest open command of a payment alone."""
        try:
            order = work.next_order(payment)
            if order is not None:
                work.carry_out(order)
        except Exception as error:  # noqa: BLE001 - as the worker does
            self.judge(error)
        release()

    def _try(self, name: str, **args: Any) -> None:
        try:
            jobs._HANDLERS[name](**args)
        except Exception as error:  # noqa: BLE001 - as the worker does
            self.judge(error)
        release()

    def _react(self) -> None:
        """What follows facts: a captured payment's transfer is planned, a rental that cannot be paid is cancelled."""
        for payment in self.rows():
            if payment.captured:
                transfer.plan(payment.id)
        while self.unpayable:
            found = self.unpayable.pop()
            rental = next(one for one in self.rentals if one.id == found)
            if rental.total is None:
                self.called_off(rental, 0)
        release()

    def takes_due(self) -> int:
        """The due-runner takes all that is due; how much."""
        release()
        due = select(Deadline.kind, Deadline.ref).where(
            Deadline.due_at <= clock.now(), Deadline.kind.in_(list(DUE))
        )
        found = session.execute(due).all()
        release()
        for kind, ref in found:
            try:
                self._take(kind, ref)
            except Exception as error:
                if not jobs.is_temporary(error):
                    raise
            release()
        self._react()
        return len(found)

    def compares(self) -> list[Difference]:
        """The comparison with the provider runs, if it gets an answer."""
        try:
            return reconcile.run()
        except Exception as error:  # noqa: BLE001 - as the worker does
            self.judge(error)
            return []
        finally:
            release()

    def a_day_without_an_answer(self) -> None:
        """What was asked and not answered is older than the provider's memory of keys."""
        release()
        session.execute(
            text(
                "update payment_commands set first_tried_at = first_tried_at - interval '24 hours'"
                " where state = 'open' and first_tried_at is not null"
            )
        )
        session.commit()
        release()
        self.own.post("keys/forget")

    def calm(self) -> None:
        """The provider is well, nobody dies, all that waits is done, and the comparison has been made."""
        self.torn.disarm()
        self.own.is_well()
        self._refused_steps_come_again()
        for compared in (False, True):
            for _ in range(ROUNDS):
                self.works()
                if not self.takes_due() and not self._waiting():
                    break
            if not compared:
                self.compares()

    def _refused_steps_come_again(self) -> None:
        """Those that wait for their time at once, and an operator looks at those that are stuck."""
        release()
        session.execute(
            text("update deadlines set due_at = :now where kind in ('step_again', 'refund_again')"),
            {"now": clock.now()},
        )
        session.commit()
        for row in self.rows():
            retry.stuck(row.id)
        release()

    def _waiting(self) -> bool:
        return self._next(0) is not None

    # -- what is there

    def rows(self) -> list[Payment]:
        release()
        mine = [one.id for one in self.rentals]
        found = list(session.scalars(select(Payment).where(Payment.rental_id.in_(mine)).order_by(Payment.id)))
        release()
        return found

    def having(self, what: str) -> list[Any]:
        """What a rule may choose from."""
        if what == "heard":
            return self.heard
        if what in ("rental", "open", "over"):
            return [
                one for one in self.rentals if what == "rental" or (one.total is None) is (what == "open")
            ]
        if what == "retryable":
            return [row for row in self.rows() if row.state in hold.RETRYABLE and row.owed != 0]
        if what == "owing":
            return [row for row in self.rows() if row.state in OWING and row.owed]
        if what == "taken":
            return [row for row in self.rows() if row.state in TAKEN]
        if what == "asked":
            return [one for one in self.own.of_kind("payment_intent") if _asks(one)]
        if what == "lost":
            return [one for one in self.own.of_kind("dispute") if one["status"] == "lost"]
        return self.disputes() if what == "dispute" else self.own.of_kind(what)

    def disputes(self) -> list[dict[str, Any]]:
        """Those the bank has not decided."""
        return [
            one
            for one in self.own.of_kind("dispute")
            if one["status"] not in ("won", "lost", "warning_closed")
        ]

    def intents(self) -> dict[str, list[dict[str, Any]]]:
        """The provider's intents by our payment."""
        attempts = select(PaymentCommand.key, PaymentCommand.payment_id)
        mine = attempts.join(Payment).where(Payment.rental_id.in_([one.id for one in self.rentals]))
        keys = {row.key: row.payment_id for row in session.execute(mine)}
        release()
        found: dict[str, list[dict[str, Any]]] = {}
        for one in self.own.of_kind("payment_intent"):
            found.setdefault(str(keys[one["metadata"]["command_id"]]), []).append(one)
        return found

    # -- what must be true, always

    def check(self) -> None:
        rows, there = self.rows(), self.intents()
        self._books_are_true(rows)
        self._promises_are_in_the_books(rows)
        for row in rows:
            taken = [one for one in there.get(row.id, []) if one["amount_received"]]
            assert len(taken) <= 1, f"{row.id} was taken {len(taken)} times"
            if row.captured:
                assert [(one["id"], one["amount_received"]) for one in taken] == [
                    (row.intent_id, row.captured)
                ]
            if row.purpose == DEPOSIT:
                assert row.captured <= self.decided.get(row.id, 0), "taken without a hearing, or above it"

    def _books_are_true(self, rows: list[Payment]) -> None:
        """Zero per currency; owner, insurer, platform and tax have what the driver paid and did not get back."""
        total = func.sum(Posting.amount)
        zero = select(total).group_by(Posting.currency)
        assert set(session.scalars(zero)) <= {0}
        earned = (
            select(LedgerEntry.payment_id, -total)
            .join(LedgerEntry)
            .where(LedgerEntry.kind.in_(ledger.EARNING), Posting.account != ledger.STRIPE_CLEARING)
            .group_by(LedgerEntry.payment_id)
        )
        has = {payment: int(amount) for payment, amount in session.execute(earned)}
        claimed = (
            select(LedgerEntry.payment_id, total)
            .join(LedgerEntry)
            .where(Posting.account == ledger.MEMBER_RECEIVABLE)
            .group_by(LedgerEntry.payment_id)
        )
        owes = {payment: int(amount) for payment, amount in session.execute(claimed)}
        for row in rows:
            assert has.get(row.id, 0) == row.captured - row.refunded, row.id
            assert owes.get(row.id, 0) == row.receivable, row.id
            if row.state == State.ARREARS:
                assert row.receivable == row.owed, row.id
            elif row.state in OVER and row.state != State.ACTION_REQUIRED:
                assert row.receivable == 0, (row.id, row.state)
        release()

    # -- what must be true once all is calm

    def check_calm(self) -> None:
        self.check()
        rows = self.rows()
        assert {row.state for row in rows} <= set(STILL), Counter(row.state for row in rows)
        self._nothing_is_open()
        self._as_the_provider_says(rows)
        for rental in self.rentals:
            self._charged_by_its_quote(rental, [row for row in rows if row.rental_id == rental.id])
        self._clearing_is_their_balance()
        left = self.compares()
        assert left == [], left

    def _promises_are_in_the_books(self, rows: list[Payment]) -> None:
        for row in rows:
            said = (
                select(func.coalesce(-func.sum(Posting.amount), 0))
                .join(LedgerEntry)
                .where(Posting.account == ledger.REFUND_PAYABLE, LedgerEntry.payment_id == row.id)
            )
            assert session.scalar(said) == promises.of(row)
        release()

    def _nothing_is_open(self) -> None:
        mine = [row.id for row in self.rows()]
        left = select(PaymentCommand.kind).where(
            PaymentCommand.payment_id.in_(mine), PaymentCommand.state == "open"
        )
        assert session.scalars(left).all() == []
        assert not self._waiting()

    def _as_the_provider_says(self, rows: list[Payment]) -> None:
        there = self.intents()
        charges = {one["id"]: one for one in self.own.of_kind("charge")}
        for row in rows:
            mine = there.get(row.id, [])
            held = [one["id"] for one in mine if one["status"] == "requires_capture"]
            assert held == ([row.intent_id] if row.state == State.HELD else []), (row.state, held)
            refunded = sum(
                charges[one["latest_charge"]]["amount_refunded"] for one in mine if one["amount_received"]
            )
            assert refunded == row.refunded
        self._transfers_agree()
        ours = {row.external_id: row.state for row in session.scalars(select(Dispute))}
        for one in self.own.of_kind("dispute"):
            assert one["id"] in ours
            assert (one["status"] in ("won", "lost")) == (ours[one["id"]] in ("won", "lost"))
        release()

    def _transfers_agree(self) -> None:
        """By charge: what an owner earns again is sent by a further one."""
        theirs: Counter[tuple[str, str]] = Counter()
        for one in self.own.of_kind("transfer"):
            theirs[one["source_transaction"], "sent"] += one["amount"]
            theirs[one["source_transaction"], "back"] += one["amount_reversed"]
        rows = session.execute(
            select(Payment.charge_id, Transfer.amount, Transfer.reversed)
            .join(Transfer, Transfer.payment_id == Payment.id)
            .where(Transfer.rental_id.in_([one.id for one in self.rentals]), Transfer.amount > 0)
        ).all()
        release()
        ours = {
            (charge, what): amount
            for charge, sent, back in rows
            for what, amount in (("sent", sent), ("back", back))
        }
        assert ours == theirs

    def _charged_by_its_quote(self, rental: Priced, rows: list[Payment]) -> None:
        """What it costs is owed once but for what is too little to be charged, and each payment has brought, or is in
        arrears with, what is owed by it.
        """
        priced = [row for row in rows if row.purpose not in APART]
        if rental.total is None or not priced:
            return
        kept = [row for row in rows if row.purpose == DEPOSIT and row.owed is None]
        assert {row.state for row in kept} <= {State.HELD.value}
        rows = [row for row in rows if row not in kept]
        waived = rental.total - sum(row.owed or 0 for row in priced)
        assert 0 <= waived < LEAST[priced[0].currency] * len(priced), [
            (r.purpose, r.state, r.owed) for r in rows
        ]
        for row in rows:
            assert row.state in TAKEN or not row.owed or row.owed >= LEAST[row.currency], (
                row.state,
                row.owed,
            )
            assert row.state in OVER, row.state
            if row.state in (State.CAPTURED, State.REFUNDED):
                over = advance.brought(row) - (row.owed or 0)
                # goodwill of an operator leaves less to give back than a later correction of the end asks for
                assert over == 0 or (over > 0 and row.refunded == row.captured), (row.state, row.id, over)
            elif row.state == State.RELEASED:
                assert row.owed == 0
        release()

    def _clearing_is_their_balance(self) -> None:
        theirs: Counter[str] = Counter()
        for one in self.own.of_kind("balance_transaction"):
            theirs[one["currency"].upper()] += one["net"]
        found = session.execute(
            select(Posting.currency, func.sum(Posting.amount))
            .where(Posting.account == ledger.STRIPE_CLEARING)
            .group_by(Posting.currency)
        )
        ours = {currency: int(total) for currency, total in found if total}
        release()
        assert ours == {currency: total for currency, total in theirs.items() if total}

    # -- the end of the story

    def close(self) -> None:
        """All rentals end, banks and owners come round, every driver pays what is left, and the owner is paid."""
        self.torn.disarm()
        self.own.is_well()
        self.settle_account(self.payee, "enabled")
        for driver, _ in self.drivers.values():
            self.mood(VISA, driver.id)
        for rental in self.rentals:
            if rental.total is None:
                self.over(rental, 1000)
        for rental in list(self.heard):
            self.damage_closed(rental, 0)
        for one in self.disputes():
            self.own.post(
                "disputes/close",
                dispute=one["id"],
                status="warning_closed" if one["status"].startswith("warning") else "won",
            )
        self.calm()
        self._drivers_pay()
        self.calm()
        self.forward(timedelta(hours=73))
        self.calm()

    def _drivers_pay(self) -> None:
        for row in self.rows():
            if row.state in hold.RETRYABLE and row.owed:
                hold.retry(row.id, None, row.person_id)
                release()

    def check_close(self) -> None:
        """Nobody owes the provider or us; the owner has had what is theirs."""
        self.check_calm()
        rows = self.rows()
        assert {row.state for row in rows} <= {*(one.value for one in TAKEN), State.RELEASED.value}
        for row in rows:
            if row.purpose == DEPOSIT:
                assert row.captured == self.decided.get(row.id, 0), row.state
        stand = session.scalars(select(Transfer.state).where(Transfer.payee == self.payee).distinct()).all()
        assert set(stand) <= {TransferState.SETTLED.value}, stand
        for payment in owed.unsent_of_settled():
            sent = transfer.of(payment)
            assert sent is not None
            assert not owed.to_send(session.get_one(Payment, payment), sent), payment
        release()


def _asks(intent: dict[str, Any]) -> bool:
    """The holder may confirm it, perhaps with another card."""
    refused = intent["status"] == "requires_payment_method" and intent["last_payment_error"] is not None
    return refused or intent["status"] == "requires_action"
