import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app import sealer
from app.billing import advance, commands, ledger, refund, statement
from app.billing.ledger import Entry, Line
from app.kit.db import new_id, release, session, transactional
from app.kit.errors import NotFound
from app.people.models import Person
from payments.gateway import Refund, RefundState
from payments.money import Money
from tests import factories
from tests.billing.desk import Desk, eur

BOOKS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    amount=st.integers(1, 10**9), parts=st.lists(st.integers(1, 10**9), max_size=4), fee=st.integers(0, 10**6)
)
@BOOKS
def test_whatever_is_captured_refunded_and_kept_the_books_sum_to_zero(
    desk: Desk, amount: int, parts: list[int], fee: int
) -> None:
    rental = desk.plan(amount, hours=48, who=_whoever(desk))
    payment = desk.payment(rental).id

    @transactional
    def book() -> int:
        row = commands.lock(payment)
        row.captured, row.state = amount, "captured"
        ledger.captured(row, eur(amount), 1)
        ledger.captured(row, eur(amount), 1)
        left = amount
        for part in parts:
            if part <= left:
                left -= part
                ledger.refunded(row, eur(part), new_id("pcm"), 1)
        if fee:
            ledger.fee(row, new_id("chx"), eur(fee))
        return left

    left = book()
    books = desk.books(rental)
    assert sum(books.values()) == 0
    assert books.get("stripe_clearing", 0) == left - fee
    assert books.get("processor_fees", 0) == fee
    assert all(books.get(one, 0) <= 0 for one in ("owner_payable", "premium_reserve", "platform_revenue"))


_CAST: list[tuple[Person, str]] = []


def _whoever(desk: Desk) -> tuple[Person, str]:
    """One driver for all examples."""
    if not _CAST:
        _CAST.append(desk.driver())
    release()
    max_, card = _CAST[0]
    merged: Person = session.merge(max_)
    return merged, card


def _post(*lines: Line) -> None:
    transactional(ledger.post)(Entry("test", "test", new_id("tst"), lines))


def test_an_entry_that_does_not_sum_to_zero_is_refused_at_commit(desk: Desk) -> None:
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        _post(Line("a", eur(100)), Line("b", eur(-99)))
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        _post(Line("a", eur(100)), Line("b", Money(-100, "CHF")))
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        _post()
    _post(
        Line("a", eur(100)),
        Line("b", eur(-60)),
        Line("c", eur(-40)),
        Line("d", Money(5, "CHF")),
        Line("e", Money(-5, "CHF")),
    )


@pytest.mark.parametrize(
    "change",
    [
        "update postings set amount = amount + 1",
        "delete from postings",
        "truncate postings cascade",
        "update ledger_entries set kind = 'other'",
        "delete from ledger_entries",
        "truncate ledger_entries cascade",
    ],
)
def test_what_is_in_the_books_stays_as_it_is(desk: Desk, change: str) -> None:
    _post(Line("a", eur(100)), Line("b", eur(-100)))
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(change))
    session.rollback()


def test_one_source_is_posted_once(desk: Desk) -> None:
    entry = Entry("test", "test", new_id("tst"), (Line("once", eur(7)), Line("other", eur(-7))))
    assert transactional(ledger.post)(entry) is not None
    assert transactional(ledger.post)(entry) is None


def test_of_a_refund_from_before_the_reserve_that_is_sent_back_the_reserve_has_the_insurers_part(
    desk: Desk,
) -> None:
    rental, command = desk.captured(8000), new_id("pcm")
    payment = desk.payment(rental)
    before = (Line("insurer_payable", eur(100)), Line("stripe_clearing", eur(-100)))
    transactional(ledger.post)(Entry("refund", "command", command, before, payment=payment.id, rental=rental))
    reserve = desk.books(rental)["premium_reserve"]
    transactional(ledger.refund_failed)(desk.payment(rental), command)
    assert desk.books(rental)["premium_reserve"] == reserve - 100


def test_the_balance_at_each_position_sums_to_zero_and_has_what_was_booked_until_then(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.end(rental, 6000) == []
    desk.forward(timedelta(minutes=1))
    refund.refund(desk.payment(rental).id, 1000, "operator")
    assert desk.jobs() == []
    paid, given = position(rental, "PaymentSucceeded"), position(rental, "PaymentRefunded")
    books = {at: ledger.trial_balance(at).get("EUR", {}) for at in range(paid - 1, given + 1)}
    assert [sum(each.values()) for each in books.values()] == [0] * len(books)
    earned = {at: each.get("owner_payable", 0) for at, each in books.items()}
    assert earned[paid] == earned[paid - 1] - 4500
    assert earned[given] == earned[given - 1] + 750
    assert books[given]["processor_fees"] == books[paid - 1].get("processor_fees", 0) + 115
    assert ledger.trial_balance(given) == ledger.trial_balance()


def test_a_position_that_no_fact_has_has_no_balance(desk: Desk) -> None:
    with pytest.raises(NotFound):
        ledger.trial_balance(10**12)
    shown = desk.app.test_cli_runner().invoke(args=["operator", "ledger", "--at", str(10**12)])
    assert (shown.exit_code, "Not found" in shown.output) == (1, True)


def test_the_command_line_prints_the_balance_at_a_position(desk: Desk) -> None:
    at = position(desk.captured(8000), "PaymentSucceeded")
    shown = desk.app.test_cli_runner().invoke(args=["operator", "ledger", "--at", str(at)])
    assert json.loads(shown.output)["balance"] == ledger.trial_balance(at)


def position(rental: str, kind: str) -> int:
    """Where the sealer put a fact of a rental."""
    while sealer.seal():
        pass
    release()
    found = text("select position from facts where kind = :kind and data ->> 'rental' = :rental")
    return int(session.execute(found, {"kind": kind, "rental": rental}).scalar_one())


def test_the_owner_reads_what_the_month_brought(desk: Desk) -> None:
    olga = factories.person()
    desk.payee = olga.id
    rental = desk.held(9000)
    desk.end(rental, 6000)
    refund.refund(desk.payment(rental).id, 1000, "operator")
    assert desk.jobs() == []
    at = ledger.of_rental(rental)[0][0].at
    found = statement.of(olga.id, at.strftime("%Y-%m"), "UTC")
    [balance] = found["balances"]
    amounts = {name: one["amount"] for name, one in balance.items() if name not in ("fees", "vat_rates")}
    assert balance["vat_rates"] == [2000]
    assert amounts == {
        "opening": 0,
        "earned": 4500,
        "given_back": -750,
        "paid_out": 0,
        "closing": 3750,
        "drivers_paid": 5000,
    }
    assert {name: one["amount"] for name, one in balance["fees"].items()} == {
        "platform": 625,
        "vat": 125,
        "insurer": 500,
    }
    assert [(e["kind"], e["amount"]["amount"]) for e in found["entries"]] == [
        ("capture", 4500),
        ("refund", -750),
    ]
    assert ledger.balances("owner_payable", "EUR", olga.id) == eur(-3750)
    stranger = factories.person("Charlie Stranger")
    assert statement.of(stranger.id, at.strftime("%Y-%m"), "UTC")["entries"] == []


@pytest.mark.parametrize("month", ["2027-13", "2027-1x", "1999-01", "2027/01", "2027-00"])
def test_a_month_that_is_none_is_not_found(month: str) -> None:
    with pytest.raises(NotFound):
        statement.month_of(month, "UTC")


def test_a_month_is_the_readers_own(desk: Desk) -> None:
    begin, end = statement.month_of("2027-03", "Europe/Paris")
    assert (begin.isoformat(), end.isoformat()) == ("2027-02-28T23:00:00+00:00", "2027-03-31T22:00:00+00:00")
    assert statement.month_of("2027-12", "UTC")[1].year == 2028


def test_a_refund_that_the_bank_sends_back_is_turned_round(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 6000)
    payment = desk.payment(rental).id
    refund.refund(payment, 6000, "operator")
    assert desk.jobs() == []
    assert desk.standing(rental) == "refunded"
    (entry,) = [one for one, _ in ledger.of_rental(rental) if one.kind == "refund"]
    (done,) = [row for row in desk.commands(payment) if row.kind == "refund"]
    assert entry.source_id == done.id
    back = Refund(done.object_id or "", RefundState.FAILED, eur(6000), None, done.key)
    refund.apply(done.id, payment, back)
    refund.apply(done.id, payment, back)
    row = desk.payment(rental)
    assert (row.state, row.refunded) == ("captured", 0)
    assert desk.books(rental)["owner_payable"] == -4500
    assert desk.books(rental)["refund_payable"] == -6000
    assert advance.remainder(session.merge(row)) == 0  # it is promised still
