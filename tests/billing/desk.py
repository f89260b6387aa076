"""What surrounds billing in a test: the driver's app, the banks, the workers, the due-runner."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import stripe
from flask import Flask
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app.billing import (
    capture,
    cards,
    commands,
    deposit,
    dispute_evidence,
    hold,
    ledger,
    payout_account,
    refused_refund,
    refused_step,
    transfer,
)
from app.billing.models import Payment, PaymentCommand
from app.billing.payout_models import PayoutAccount, Transfer
from app.kit import clock, deadlines, jobs
from app.kit.db import new_id, release, session, transactional
from app.kit.deadlines import Deadline
from app.people.models import Person
from payments.double.running import RunningDouble
from payments.money import Money
from tests import factories

SECRET, CONNECT_SECRET = "whsec_test", "whsec_connect"
VISA, ALWAYS_3DS, POOR, LOST = "4242424242424242", "4000002760003184", "4000000000009995", "4000000000009987"
TURNCOAT = "4000008260003178"
OURS = (
    *("payment_command", "payment_fee", "card_setup", "card_detach", "stripe_event", "payments_reconcile"),
    *("owner_command", "payout_account", "dispute_evidence"),
)
DUE = {
    "hold": hold.due_hold,
    "hold_failed": hold.due_hold_failed,
    "hold_renew": hold.due_renewal,
    "dunning": hold.due_dunning,
    "step_again": refused_step.due,
    "refund_again": refused_refund.due,
    "deposit": deposit.due,
    "transfer": transfer.due,
    "evidence": dispute_evidence.due,
}


def eur(amount: int) -> Money:
    return Money(amount, "EUR")


def this_month() -> str:
    """Of business time where the cast is, as a statement is named."""
    return f"{clock.now().astimezone(ZoneInfo('Europe/Paris')):%Y-%m}"


class Desk:
    _payer: tuple[Person, str] | None = None

    def __init__(self, app: Flask, double: RunningDouble) -> None:
        self.app, self.double = app, double
        found = session.execute(text("select coalesce(max(id), 0) from procrastinate_jobs")).scalar_one()
        self._first = int(found)
        lag = clock.now().timestamp() - double.get("clock")["now"]
        double.post("clock/forward", seconds=max(0, int(lag)))
        self.payee = "per_" + "0" * 32

    # -- workers and time

    def jobs(self) -> list[BaseException]:
        """Run what is waiting, and what follows; the errors of jobs that would come back."""
        errors: list[BaseException] = []
        done = 0
        while (row := self._next(done)) is not None:
            done = row.id
            try:
                jobs._HANDLERS[row.task_name](**row.args)
                self._mark(row.id, "succeeded")
            except Exception as error:  # noqa: BLE001 - as the worker does
                errors.append(error)
                if not jobs.is_temporary(error):
                    self._mark(row.id, "failed")
            release()
        return errors

    def _next(self, after: int) -> Any:
        return session.execute(
            text(
                "select id, task_name, args from procrastinate_jobs where status = 'todo' and id > :first"
                " and id > :after and task_name = any(:ours) order by id limit 1"
            ),
            {"first": self._first, "after": after, "ours": list(OURS)},
        ).one_or_none()

    def _mark(self, job: int, status: str) -> None:
        release()
        session.execute(
            text(
                "update procrastinate_jobs set status = cast(:s as procrastinate_job_status) where id = :id"
            ),
            {"s": status, "id": job},
        )
        session.commit()

    def forward(self, by: timedelta) -> None:
        clock.forward(by)
        self.double.post("clock/forward", seconds=int(by.total_seconds()))

    def due(self, payment: str) -> list[str]:
        """Take what is due for a payment, as the due-runner does."""
        release()
        found = select(Deadline.kind).where(Deadline.ref == payment, Deadline.due_at <= clock.now())
        kinds = list(session.scalars(found).all())
        for kind in kinds:
            self._take(kind, payment)
        release()
        return kinds

    @transactional
    def _take(self, kind: str, ref: str) -> None:
        deadlines.drop(ref, kind)
        DUE[kind](ref)

    # -- the driver

    def driver(self, number: str = VISA) -> tuple[Person, str]:
        """Max, with a card saved."""
        max_ = factories.person("Max Member")
        return max_, self.save_card(max_.id, number)

    def save_card(self, person: str, number: str = VISA) -> str:
        row = cards.begin(person)
        self.double.post("setup_intents/confirm", client_secret=cards.setup(row.id), card=number)
        cards.card_setup(row.id)
        found = cards.usable(person, None)
        release()
        assert found is not None
        return found

    def plan(
        self,
        amount: int = 9000,
        number: str = VISA,
        *,
        hours: float = 5,
        on_session: bool = False,
        who: tuple[Person, str] | None = None,
        deposited: int = 0,
    ) -> str:
        driver, card = who or self.driver(number)
        rental = new_id("ren")
        self._plan(
            rental=rental,
            driver=driver.id,
            payee=self.payee,
            community=None,
            amount=eur(amount),
            starts_at=clock.now() + timedelta(hours=hours),
            card=card,
            on_session=on_session,
            deposited=eur(deposited),
        )
        release()
        return rental

    @transactional
    def _plan(self, **planned: Any) -> None:
        deadlines.plan(hold.plan(**planned))

    def held(self, amount: int = 9000, **more: Any) -> str:
        rental = self.plan(amount, **more)
        assert self.jobs() == []
        assert self.standing(rental) == "held"
        return rental

    def confirm(self, rental: str, **body: Any) -> None:
        """The driver answers the bank in the app; no webhook has come yet."""
        intent = self.double_intents(rental)[-1]
        self.double.post("payment_intents/confirm", client_secret=intent["client_secret"], **body)

    # -- what stands where

    def put_card(self, rental: str, card: str) -> None:
        """As if the rental had been planned with that card."""
        release()
        for row in hold.all_of(rental):
            row.card_id = card
        session.commit()
        release()

    def payment(self, rental: str) -> Payment:
        release()
        found = hold.of(rental)
        release()
        assert found is not None
        return found

    def deposit(self, rental: str) -> Payment:
        found = deposit.among(self.payments(rental))
        assert found is not None
        return found

    def payments(self, rental: str) -> list[Payment]:
        release()
        found = list(hold.all_of(rental))
        release()
        return found

    def standing(self, rental: str) -> str:
        release()
        return hold.standing(rental)

    def double_intents(self, rental: str) -> list[dict[str, Any]]:
        return self.there("payment_intent", rental=rental)

    def there(self, kind: str, **which: str) -> list[dict[str, Any]]:
        """The provider's objects of that kind, oldest first; `about` an id, or of a `rental`."""
        found: list[dict[str, Any]] = self.double.get("objects", kind=kind, **which)["objects"].get(kind, [])
        return found

    def calls(self) -> int:
        return len(self.double.get("log")["calls"])

    def facts(self, rental: str) -> list[str]:
        rows = session.execute(
            text("select kind from facts where data ->> 'rental' = :rental order by seq"), {"rental": rental}
        )
        return list(rows.scalars())

    def books(self, rental: str) -> dict[str, int]:
        """Balances of a rental by account."""
        release()
        rows = session.execute(
            text(
                "select account, sum(amount)::int from postings p join ledger_entries e on e.id = p.entry_id"
                " where e.rental_id = cast(:rental as uuid) group by account"
            ),
            {"rental": rental.removeprefix("ren_")},
        )
        return {account: total for account, total in rows if total}

    def open_commands(self, payment: str) -> list[PaymentCommand]:
        release()
        found = commands.opened(payment)
        release()
        return found

    def commands(self, payment: str) -> list[PaymentCommand]:
        release()
        found = list(session.scalars(select(PaymentCommand).where(PaymentCommand.payment_id == payment)))
        release()
        return found

    # -- the end

    def end(self, rental: str, total: int) -> list[BaseException]:
        from app import facts

        now = datetime.now(UTC)  # noqa: TID251
        capture.settle_end(rental, eur(total))
        transactional(capture.on_ended)(facts.RentalEnded(rental, now, total, "EUR", "box"))
        release()
        return self.jobs()

    def cancel(self, rental: str, owed: int = 0) -> list[BaseException]:
        from app import facts

        transactional(capture.on_cancelled)(facts.RentalCancelled(rental, "driver", "plans", owed))
        release()
        return self.jobs()

    # -- owners

    def owner(self, state: str | None = "enabled", **values: Any) -> Person:
        """Olga, with an account at the provider in that state; None: without one. She is who earns from now on."""
        olga = factories.person("Olga Owner", **values)
        self.payee = olga.id
        if state is not None:
            payout_account.begin(olga.id)
            payout_account.onboard(olga.id)
            self.settle_account(olga.id, state)
        release()
        return olga

    def account(self, person: str) -> PayoutAccount:
        release()
        found = session.get_one(PayoutAccount, person)
        release()
        return found

    def settle_account(self, person: str, state: str) -> list[BaseException]:
        """What the owner does behind the link, or what the provider finds out; its event arrives."""
        external = self.account(person).external_id
        self.double.post("accounts/settle", account=external, state=state)
        return self.tell("account.updated", str(external))

    def tell(self, kind: str, subject: str) -> list[BaseException]:
        """The provider's newest event of that kind about an object arrives, and is worked off."""
        event = next(one for one in self.events(about=subject)[::-1] if one["type"] == kind)
        connect = "account" in event
        answer = self.deliver(
            event,
            secret=CONNECT_SECRET if connect else SECRET,
            path="/webhooks/stripe-connect" if connect else "/webhooks/stripe",
        )
        assert answer.status_code == 200
        return self.jobs()

    def captured(self, amount: int = 8000) -> str:
        """A rental that is over and paid, always by the same driver; its owner's share waits."""
        Desk._payer = Desk._payer or self.driver()
        rental = self.held(9000, who=Desk._payer)
        assert self.end(rental, amount) == []
        transfer.plan(self.payment(rental).id)
        return rental

    def stands(self, amount: int) -> None:
        """So much more of ours lies at the provider, whatever other tests left in the books."""
        there = ledger.balances(ledger.STRIPE_CLEARING, "EUR").amount
        if there < amount:
            more = eur(amount - there)
            lines = (ledger.Line(ledger.STRIPE_CLEARING, more), ledger.Line(ledger.VAT_PAYABLE, -more))
            transactional(ledger.post)(ledger.Entry("capture", "test", new_id("tst"), lines))
        release()

    def transfer(self, rental: str) -> Transfer:
        release()
        found = transfer.of(self.payment(rental).id)
        release()
        assert found is not None
        return found

    def pay_out(self, rental: str, after: timedelta = timedelta(hours=72)) -> list[BaseException]:
        """The waiting period goes by."""
        self.forward(after)
        self.due(self.transfer(rental).id)
        return self.jobs()

    def owes(self, person: str) -> int:
        """What the books say the person owes us; below zero we owe them."""
        release()
        found = ledger.balances(ledger.OWNER_PAYABLE, "EUR", person).amount
        release()
        return found

    def dispute(self, rental: str, **more: Any) -> str:
        """The driver's bank disputes the payment, and its event arrives; the provider's id."""
        made = self.double.post("disputes/open", charge=self.payment(rental).charge_id, **more)["id"]
        assert self.tell("charge.dispute.created", made) == []
        return str(made)

    def decide(self, dispute: str, status: str) -> None:
        self.double.post("disputes/close", dispute=dispute, status=status)
        assert self.tell("charge.dispute.closed", dispute) == []

    # -- webhooks

    def events(self, **which: str) -> list[dict[str, Any]]:
        """The provider's events, oldest first; those about an object or a rental."""
        return self.there("event", **which)

    def event(self, rental: str, kind: str) -> dict[str, Any]:
        """The latest event of that kind about a rental's intents."""
        return next(one for one in self.events(rental=rental)[::-1] if one["type"] == kind)

    def deliver(
        self,
        event: dict[str, Any],
        *,
        secret: str = SECRET,
        age_s: int = 0,
        path: str = "/webhooks/stripe",
        **headers: Any,
    ) -> TestResponse:
        body = json.dumps(event)
        stamp = int(datetime.now(UTC).timestamp()) - age_s  # noqa: TID251
        signed = stripe.WebhookSignature.generate_signature_header(body, secret, stamp)
        release()
        return self.app.test_client().post(
            path,
            data=body,
            content_type="application/json",
            headers={
                "Stripe-Signature": str(signed),
                **{name.replace("_", "-"): text for name, text in headers.items()},
            },
        )
