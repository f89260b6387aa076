"""Money under any weather: random rentals, failures and clock moves through the real SDK against the double.

After each step the books sum to zero and nobody is charged twice; once all is calm the provider's objects and our rows
agree, each rental is charged by its price, and what drivers paid is what owner, insurer, platform and tax have.
A deposit is captured only by a hearing about damage and never above what was decided, and ends captured or released.

`GLOVEBOX_FAULTS=long` tells longer stories, and more of them; the number of steps is in the report (`steps`).
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.sql import SQL, Identifier
from sqlalchemy import select
from sqlalchemy.engine import make_url

from app.billing import deposit, dispute, dispute_evidence, hold, refund, write_off
from app.billing.payout_models import Dispute
from app.doors import Doors
from app.factory import create_app
from app.kit import jobs
from app.kit.db import db, dispose, release, session
from app.kit.errors import Problem
from app.kit.listen import conninfo
from app.supervisor import ROOT
from insurance.partners import partners_of
from payments.double.problem import Problem as Refusal
from payments.gateway import Endpoint
from payments.money import Money as Amount
from payments.stripe_codes import CONNECT_EVENT_KINDS, EVENT_KINDS
from payments.stripe_disputes import StripeDisputes
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts
from payments.stripe_webhook import StripeWebhook
from tests.billing.desk import ALWAYS_3DS, CONNECT_SECRET, LOST, POOR, SECRET, VISA
from tests.billing.own_double import OwnDouble
from tests.billing.till import CURRENCY_OF, Priced, Till
from tests.billing.torn import Torn
from tests.conftest import settings_for

LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
STORIES, STEPS = (60, 50) if LONG else (2, 20)
MASTERCARD = "5555555555554444"
NUMBERS = (VISA, MASTERCARD, ALWAYS_3DS, POOR)
AMOUNTS = st.one_of(st.integers(1, 60), st.integers(50, 20_000))
"""Below what a card can be asked for too."""
DEPOSITS = st.sampled_from((0, 15_000))
DAYS = st.sampled_from((1, 4, 14))
"""How long a rental is to take; the bank holds money for less than five."""
COUNTRIES = st.sampled_from(tuple(CURRENCY_OF))
PATHS = ("/v1/", "/v1/payment_intents", "/capture", "/cancel", "/v1/refunds", "/v1/transfers", "/reversals")
TOLD = frozenset((*EVENT_KINDS, *CONNECT_EVENT_KINDS))


Step = TypeVar("Step", bound=Callable[..., Any])


def having(what: str) -> Callable[[Step], Step]:
    """A rule for a story that has such a thing by now."""
    ready: Callable[[Step], Step] = precondition(lambda self: any(self.till.having(what)))
    return ready


class Money(RuleBasedStateMachine):
    """One story; the machine's arguments are drawn by hypothesis, which also shortens a story that fails."""

    app: Flask
    database: "OwnDatabase"
    double: OwnDouble
    torn: Torn
    pool: ThreadPoolExecutor
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.context = self.app.app_context()
        self.context.push()
        dispose()
        self.database.afresh()

    @initialize(
        bookings=st.lists(
            st.tuples(st.sampled_from(NUMBERS), AMOUNTS, COUNTRIES, st.sampled_from((1, 30)), DEPOSITS, DAYS),
            max_size=3,
        )
    )
    def begins(self, bookings: list[tuple[str, int, str, int, int, int]]) -> None:
        self.till = Till(self.app, self.double, self.torn)
        for number in NUMBERS:
            self.till.customer(number)
        for number, amount, country, hours, deposited, days in bookings:
            self.till.book(number, amount, country, hours, present=False, deposited=deposited, days=days)
            self.till.works()

    def _one(self, number: int, found: list[Any]) -> Any:
        return found[number % len(found)]

    def _rental(self, number: int, *, over: bool | None = None) -> Priced | None:
        found = [one for one in self.till.rentals if over is None or (one.total is not None) is over]
        return found[number % len(found)] if found else None

    # -- people

    @rule(
        number=st.sampled_from(NUMBERS),
        amount=AMOUNTS,
        country=COUNTRIES,
        hours=st.sampled_from((1, 5, 30, 100)),
        present=st.booleans(),
        deposited=DEPOSITS,
        days=DAYS,
    )
    def book(
        self, number: str, amount: int, country: str, hours: int, *, present: bool, deposited: int, days: int
    ) -> None:
        self.till.book(number, amount, country, hours, present=present, deposited=deposited, days=days)

    @having("open")
    @rule(which=st.integers(0, 9))
    def first_unlock(self, which: int) -> None:
        rental = self._rental(which, over=False)
        if rental is not None:
            self.till.picked_up(rental)

    @having("rental")
    @rule(which=st.integers(0, 9), total=AMOUNTS, late=st.booleans())
    def end(self, which: int, total: int, *, late: bool) -> None:
        rental = self._rental(which, over=late)
        if rental is not None:
            self.till.over(rental, total)

    @having("open")
    @rule(which=st.integers(0, 9), share=st.sampled_from((0, 0, 70, 4000)))
    def cancel(self, which: int, share: int) -> None:
        rental = self._rental(which, over=False)
        if rental is not None:
            self.till.called_off(rental, share)

    @having("open")
    @rule(which=st.integers(0, 9), amount=AMOUNTS, granted=st.booleans())
    def extend(self, which: int, amount: int, *, granted: bool) -> None:
        rental = self._rental(which, over=False)
        if rental is None:
            return
        made = hold.raise_amount(rental.id, Amount.from_dict({"amount": amount, "currency": rental.currency}))
        if made is not None and not granted:
            hold.drop_raise(made)
        release()

    @having("over")
    @rule(which=st.integers(0, 9), amount=AMOUNTS)
    def charge_request_closes(self, which: int, amount: int) -> None:
        rental = self._rental(which, over=True)
        if rental is not None:
            self.till.claimed(rental, amount)

    @having("over")
    @rule(which=st.integers(0, 9))
    def damage_is_asked_for(self, which: int) -> None:
        rental = self._rental(which, over=True)
        if rental is not None and rental not in self.till.heard:
            self.till.heard.append(rental)

    @having("heard")
    @rule(which=st.integers(0, 9), amount=st.one_of(st.just(0), AMOUNTS))
    def hearing_about_damage_closes(self, which: int, amount: int) -> None:
        self.till.damage_closed(self._one(which, self.till.heard), amount)
        release()

    @having("asked")
    @rule(
        which=st.integers(0, 9),
        answer=st.sampled_from(("ok", "fail", "abandon")),
        number=st.sampled_from((None, VISA)),
    )
    def driver_confirms(self, which: int, answer: str, number: str | None) -> None:
        secret = self._one(which, self.till.having("asked"))["client_secret"]
        more = {"card": number} if number else {}
        self.double.post("payment_intents/confirm", client_secret=secret, three_ds=answer, **more)

    @having("retryable")
    @rule(which=st.integers(0, 9))
    def driver_tries_again(self, which: int) -> None:
        row = self._one(which, self.till.having("retryable"))
        hold.retry(row.id, None, row.person_id)
        release()

    @having("owing")
    @rule(which=st.integers(0, 9), lifted=st.booleans())
    def operator_writes_off(self, which: int, *, lifted: bool) -> None:
        row = self._one(which, self.till.having("owing"))
        write_off.write_off(row.id)
        if lifted:
            write_off.lift_bar(row.id)
        release()

    @having("taken")
    @rule(which=st.integers(0, 9), amount=st.sampled_from((1, 300, 5000)))
    def operator_refunds(self, which: int, amount: int) -> None:
        with contextlib.suppress(Problem):  # more than is left, or disputed
            refund.refund(self._one(which, self.till.having("taken")).id, amount, "operator")
        release()

    # -- banks and the owner

    @rule(which=st.integers(0, 3), number=st.sampled_from((VISA, POOR, LOST, ALWAYS_3DS)))
    def bank_changes_its_mind(self, which: int, number: str) -> None:
        if self.till.drivers:
            driver, _ = self._one(which, list(self.till.drivers.values()))
            self.till.mood(number, driver.id)

    @having("taken")
    @rule(which=st.integers(0, 9), part=st.sampled_from((None, 40)), inquiry=st.booleans())
    def bank_disputes(self, which: int, part: int | None, *, inquiry: bool) -> None:
        free = [one for one in self.double.of_kind("charge") if one["captured"] and not one["disputed"]]
        if free:
            charge = self._one(which, free)
            amount = min(part, charge["amount_captured"]) if part else None
            self.double.post("disputes/open", charge=charge["id"], amount=amount, inquiry=inquiry)

    @having("refund")
    @rule(which=st.integers(0, 9))
    def bank_sends_a_refund_back(self, which: int) -> None:
        with contextlib.suppress(Refusal):  # it has before
            self.double.post("refunds/fail", refund=self._one(which, self.till.having("refund"))["id"])

    @having("dispute")
    @rule(which=st.integers(0, 9), how=st.sampled_from(("won", "lost", "escalate")))
    def bank_decides(self, which: int, how: str) -> None:
        one = self._one(which, self.till.having("dispute"))
        inquiry = one["status"].startswith("warning_")
        if inquiry and how == "escalate":
            self.double.post("disputes/escalate", dispute=one["id"])
        elif inquiry:
            self.double.post("disputes/close", dispute=one["id"], status="warning_closed")
        elif how != "escalate":
            self.double.post("disputes/close", dispute=one["id"], status=how)

    @having("lost")
    @rule(which=st.integers(0, 9))
    def bank_thinks_better(self, which: int) -> None:
        one = self._one(which, self.till.having("lost"))
        self.double.post("disputes/close", dispute=one["id"], status="won")

    @having("lost")
    @rule(which=st.integers(0, 9))
    def owner_caused_it(self, which: int) -> None:
        external = self._one(which, self.till.having("lost"))["id"]
        known = session.scalar(select(Dispute.id).where(Dispute.external_id == external))
        release()
        if known is not None:
            dispute.charge_owner(known)
            release()

    @rule(state=st.sampled_from(("enabled", "restricted")))
    def account_changes(self, state: str) -> None:
        external = self.till.account(self.till.payee).external_id
        self.double.post("accounts/settle", account=external, state=state)

    @having("transfer")
    @rule(currency=st.sampled_from(("eur", "gbp", "chf")))
    def owner_is_paid_out(self, currency: str) -> None:
        account = self.double.of_kind("account")[0]
        with contextlib.suppress(Refusal):  # nothing lies there
            self.double.post("payouts/make", account=account["id"], currency=currency)

    # -- time and workers

    @rule(hours=st.sampled_from((1, 13, 25, 50, 75, 115, 170)), idle=st.booleans())
    def time_goes_by(self, hours: int, *, idle: bool) -> None:
        """Workers and due-runner are up, or away."""
        self.till.forward(timedelta(hours=hours))
        if not idle:
            self.till.takes_due()
            self.till.works()

    @rule(twice=st.booleans())
    def workers_work(self, *, twice: bool) -> None:
        self.till.works(twice=twice)

    @rule()
    def due_runner_runs(self) -> None:
        self.till.takes_due()

    @having("rental")
    @rule(which=st.integers(0, 9), name=st.sampled_from(("payment_command", "owner_command")))
    def two_workers_at_one_payment(self, which: int, name: str) -> None:
        payment = self._one(which, self.till.rows()).id
        for one in [self.pool.submit(self._works_apart, name, payment) for _ in range(2)]:
            error = one.result(30)
            if error is not None:
                self.till.judge(error)
        self.till.works()

    @having("rental")
    @rule(which=st.integers(0, 9))
    def worker_sends_one_command_and_stops(self, which: int) -> None:
        """So that news may come between two commands of one payment."""
        self.till.sends_one(self._one(which, self.till.rows()).id)

    def _works_apart(self, name: str, payment: str) -> Exception | None:
        with self.app.app_context():
            try:
                jobs._HANDLERS[name](payment=payment)
            except Exception as error:  # noqa: BLE001 - judged by who asked
                return error
            finally:
                release()
        return None

    # -- what goes wrong

    @rule(
        kind=st.sampled_from(
            ("drop_after_commit", "drop_after_commit", "409", "429", "500", "500_after_commit")
        ),
        path=st.sampled_from(PATHS),
        times=st.integers(1, 3),
    )
    def provider_fails(self, kind: str, path: str, times: int) -> None:
        self.double.post("fault", next=kind, path=path, times=times)

    @rule(path=st.sampled_from(("/capture", "/cancel", "/v1/refunds")), times=st.integers(1, 6))
    def provider_refuses_a_step(self, path: str, times: int) -> None:
        self.double.post("fault", next="400", path=path, times=times)

    @rule(moment=st.sampled_from(("before", "after")), calls=st.integers(1, 3))
    def worker_will_die(self, moment: Any, calls: int) -> None:
        self.torn.arm(moment, calls)

    @rule(short=st.booleans())
    def our_balance_there(self, *, short: bool) -> None:
        self.double.post("balance", short=short)

    @rule()
    def keys_are_forgotten(self) -> None:
        """A day goes by without an answer."""
        self.till.a_day_without_an_answer()

    # -- what the provider tells

    @having("rental")
    @rule(which=st.integers(0, 30), how=st.sampled_from(("once", "twice", "forged", "old")))
    def event_arrives(self, which: int, how: str) -> None:
        """Any event of the story: so they come late, in any order, or never."""
        told = [one for one in self.double.of_kind("event") if one["type"] in TOLD]
        if not told:
            return
        event = self._one(which, told)
        connect = "account" in event
        given: dict[str, Any] = {
            "secret": "whsec_wrong" if how == "forged" else CONNECT_SECRET if connect else SECRET,
            "path": "/webhooks/stripe-connect" if connect else "/webhooks/stripe",
            "age_s": 301 if how == "old" else 0,
        }
        answers = [self.till.deliver(event, **given).status_code for _ in range(2 if how == "twice" else 1)]
        assert set(answers) == {400 if how in ("forged", "old") else 200}
        if answers[0] == 200:
            with self.double.app.world.lock:
                self.double.app.world.clear_delivery(event["id"])

    @rule(calm=st.sampled_from((False, False, True)))
    def comparison_is_made(self, *, calm: bool) -> None:
        """Once all is calm it finds nothing, and the rest of what must hold is looked at."""
        if not calm:
            self.till.compares()
            return
        self.till.calm()
        self.till.check_calm()

    # -- what must hold

    @invariant()
    def books_and_charges_are_true(self) -> None:
        type(self).steps += 1
        if hasattr(self, "till"):
            self.till.check()

    def teardown(self) -> None:
        try:
            if hasattr(self, "till"):
                self.till.close()
                self.till.check_close()
        finally:
            db.session.remove()
            self.context.pop()


class OwnDatabase:
    """A database that each story finds as it was when it was made: what the books and the provider have is the story's."""

    def __init__(self, beside: str) -> None:
        url = make_url(beside)
        self._server = conninfo(beside)
        self._name = f"{url.database}_money"
        self._made = f"{self._name}_made"
        self.url = url.set(database=self._name).render_as_string(hide_password=False)

    def _run(self, *statements: str) -> None:
        names = {"name": Identifier(self._name), "made": Identifier(self._made)}
        with psycopg.connect(self._server, autocommit=True) as server:
            for one in statements:
                server.execute(SQL(one).format(**names))

    def make(self) -> None:
        self.drop()
        self._run("create database {name} template template0 encoding 'UTF8'")

    def keep(self) -> None:
        """So it is found by the next story."""
        self._run("alter database {name} rename to {made}")

    def afresh(self) -> None:
        self._run("drop database if exists {name} with (force)", "create database {name} template {made}")

    def drop(self) -> None:
        self._run(
            "drop database if exists {name} with (force)", "drop database if exists {made} with (force)"
        )


@pytest.fixture
def own_money(house: Flask, database: str) -> Iterator[OwnDatabase]:
    del house  # the server is up
    made = OwnDatabase(database)
    made.make()
    yield made
    made.drop()


@pytest.fixture
def machine(own_money: OwnDatabase) -> Iterator[type[Money]]:
    wired: list[list[Any]] = [hold.ON_HOLD_IMPOSSIBLE, dispute_evidence.EVIDENCE_OF, deposit.IN_HEARING]
    kept = [list(one) for one in wired]
    hooks: dict[Endpoint, StripeWebhook] = {
        "platform": StripeWebhook((SECRET,)),
        "connect": StripeWebhook((CONNECT_SECRET,)),
    }
    with OwnDouble() as double, ThreadPoolExecutor(2) as pool:
        gateway = StripeGateway("sk_test_double", base_url=double.url, webhooks=hooks, retries=0)
        payouts = StripePayouts("sk_test_double", base_url=double.url, retries=0)
        disputes = StripeDisputes("sk_test_double", base_url=double.url, retries=0)
        real = Doors(
            insurers=partners_of([]),
            payments=gateway,
            push=None,
            mail=None,
            payouts=payouts,
            disputes=disputes,
        )
        torn = Torn()
        app = create_app(settings_for(own_money.url), torn.doors(real))
        with app.app_context():
            upgrade(str(ROOT / "migrations"))
            dispose()
        own_money.keep()
        dispute_evidence.EVIDENCE_OF[:] = [lambda rental: {"uncategorized_text": f"The records of {rental}."}]
        Money.app, Money.database, Money.double, Money.torn, Money.pool = app, own_money, double, torn, pool
        yield Money
        with app.app_context():
            dispose()
        for door in (gateway, payouts, disputes):
            door.close()
    for one, was in zip(wired, kept, strict=True):
        one[:] = was


@pytest.mark.must_hold("money: random rentals, failures and clock moves")
@pytest.mark.timeout(3600 if LONG else 120)
def test_no_cent_is_lost_invented_or_charged_twice(machine: type[Money], record_property: Any) -> None:
    Money.steps = 0
    profile = settings(
        max_examples=STORIES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if LONG else (Phase.generate,),
        print_blob=False,
    )
    run_state_machine_as_test(machine, settings=profile)
    record_property("steps", Money.steps)
    print(f"{Money.steps} steps")  # noqa: T201
