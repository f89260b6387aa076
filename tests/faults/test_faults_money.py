"""A worker killed with -9 at each boundary of a capture, a refund and a transfer: the money moves once, and all know it."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from app.demo_cast import until
from app.kit.listen import conninfo
from tests.faults.stack import Stack, long_run
from tests.flows.friends import PRICED, Friends
from tests.races.at_once import at_once, shot

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
PATHS = {"capture": "/capture", "refund": "/v1/refunds", "transfer": "/v1/transfers"}
KINDS = pytest.mark.parametrize("kind", list(PATHS))


class Paid:
    """A priced rental at an owner who can be paid, up to the moment before one kind of command."""

    def __init__(self, stack: Stack, kind: str) -> None:
        self.stack, self.kind = stack, kind
        self.circle = Friends(stack, PRICED)
        self.circle.max.save_card()
        if kind == "transfer":
            self._account()
        self.rental = self.circle.book(0, 3)
        self.circle.payment(self.rental, "held")
        self.circle.unlock(self.rental)
        if kind != "capture":
            self.circle.lock(self.rental)
            self.payment = self.circle.payment(self.rental, "captured")["id"]
        if kind == "transfer":
            until(lambda: stack.sql("select 1 from transfers where rental_id = %s", self._bare), "the plan")
        stack.settles()

    @property
    def _bare(self) -> str:
        return self.rental.removeprefix("ren_")

    def _account(self) -> None:
        olga = self.circle.olga
        olga.post("/me/payouts/account", want=200)
        made = self.objects("account")
        account = next(one["id"] for one in made if one["metadata"].get("person") == olga.id)
        self.stack.control("stripe", "POST", "accounts/settle", account=account, state="enabled")
        until(lambda: olga.get("/me/payouts/account")["state"] == "enabled", "the account to be enabled")

    def objects(self, kind: str) -> list[Any]:
        found: list[Any] = self.stack.control("stripe", "GET", "objects")["objects"].get(kind, [])
        return found

    def fault(self, kind: str, **more: Any) -> None:
        self.stack.control("stripe", "POST", "fault", next=kind, path=PATHS[self.kind], **more)

    def ask(self) -> None:
        """What brings the command about."""
        if self.kind == "capture":
            self.circle.lock(self.rental)
        elif self.kind == "refund":
            reason = ("--reason", "goodwill")
            self.stack.flask("operator", "payment", "refund", self.payment, "--amount", "100", *reason)
        else:
            self.stack.flask("clock", "forward", "73h")

    def tried(self) -> bool:
        return bool(self._commands("c.tries > 0"))

    def _commands(self, which: str) -> list[Any]:
        return self.stack.sql(
            "select c.state from payment_commands c join payments p on p.id = c.payment_id"  # noqa: S608 - constants
            f" where p.rental_id = %s and c.kind = %s and {which}",
            self._bare,
            self.kind,
        )

    def calls(self) -> list[Any]:
        """What the provider was asked of this kind, and did."""
        log = self.stack.control("stripe", "GET", "log")["calls"]
        return [one for one in log if PATHS[self.kind] in one["path"] and one["method"] == "POST"]

    @contextmanager
    def payment_locked(self) -> Iterator[None]:
        """Who wants to write the answer down must wait."""
        with psycopg.connect(conninfo(self.stack.database_url)) as holder:
            holder.execute("select 1 from payments where rental_id = %s for update", (self._bare,))
            yield
            holder.rollback()

    def dies_and_comes_back(self) -> None:
        self.stack.kill("worker")
        self.stack.revive("worker")

    def is_done_once(self) -> None:
        until(lambda: self._commands("c.state = 'done'"), f"the {self.kind}", 90)
        self.stack.settles(90)
        assert self._commands("true") == [("done",)]
        self.stack.check()  # not the door: its look knows no moved clock
        self.stack.each_told_once(self.circle)
        mine = [one for one in self.objects("payment_intent") if one["metadata"]["rental"] == self.rental]
        (intent,) = [one for one in mine if one["amount_received"]]
        if self.kind == "refund":
            given = [one["amount"] for one in self.objects("refund") if one["payment_intent"] == intent["id"]]
            assert given == [100]
        if self.kind == "transfer":
            group = f"rental:{self.rental}"
            sent = [one["amount"] for one in self.objects("transfer") if one["transfer_group"] == group]
            posted = self.stack.sql(
                "select sum(p.amount)::int from postings p join ledger_entries e on e.id = p.entry_id"
                " where e.rental_id = %s and e.kind = 'transfer' and p.account = 'owner_payable'",
                self._bare,
            )
            assert [sum(sent)] == [posted[0][0]]
            assert len(sent) == 1


def before_the_effect(paid: Paid) -> None:
    """It was tried, the provider did nothing, and the worker dies before the next try."""
    paid.fault("409", times=2)
    paid.ask()
    until(paid.tried, "the first try", 60)


def between_effect_and_answer(paid: Paid) -> None:
    """The provider is at it when the worker dies, and does it all the same."""
    paid.fault("delay", seconds=2)
    before = len(paid.calls())
    paid.ask()
    until(lambda: len(paid.calls()) > before, "the call", 60)


def between_answer_and_commit(paid: Paid) -> None:
    """The answer has come, and the worker dies before it is written down."""
    paid.fault("delay", seconds=2)
    before = len(paid.calls())
    paid.ask()
    until(lambda: len(paid.calls()) > before, "the call", 60)
    with paid.payment_locked():
        until(lambda: paid.calls()[-1]["status"] == 200, "the answer", 30)
        time.sleep(0.3)  # so long the answer needs at most to reach who cannot write it down
        paid.stack.kill("worker")
    paid.stack.revive("worker")


@KINDS
@pytest.mark.parametrize("moment", [before_the_effect, between_effect_and_answer, between_answer_and_commit])
@pytest.mark.must_hold("money: worker killed around a capture, a refund, a transfer")
@long_run
def test_a_worker_killed_at_a_boundary_moves_the_money_once(
    stack: Stack, kind: str, moment: Callable[[Paid], None]
) -> None:
    paid = Paid(stack, kind)
    moment(paid)
    if moment is not between_answer_and_commit:
        paid.dies_and_comes_back()
    paid.is_done_once()


@pytest.mark.must_hold("money: fifty requests under one key")
@long_run
def test_fifty_requests_under_one_key_are_one_hold(stack: Stack) -> None:
    circle = Friends(stack, PRICED, street=False)
    circle.max.save_card("4000000000009995")
    rental = circle.book(0, 3)
    circle.payment(rental, "hold_failed")
    circle.max.save_card()
    key, path = secrets.token_urlsafe(16), f"/rentals/{rental}/payments/retry"
    answers = at_once([shot(circle.max, "POST", path, {"card": None}, key=key) for _ in range(50)])
    assert {one.status for one in answers if one.slug != "idempotency-busy"} == {202}
    circle.payment(rental, "held")
    stack.settles()
    there = stack.control("stripe", "GET", "objects")["objects"]["payment_intent"]
    mine = [one["status"] for one in there if one["metadata"]["rental"] == rental]
    assert sorted(mine) == ["canceled", "requires_capture"]
    stack.books_are_true()
