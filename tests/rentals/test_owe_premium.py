import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from app.billing import insurer_account, ledger
from app.billing.ledger import Entry, Line
from app.billing.models import LedgerEntry, Posting
from app.coverage import cover
from app.coverage.models import Cover
from app.facts import CoverClosed
from app.kit import clock, facts, jobs
from app.kit.db import new_id, release, session, transactional
from app.kit.facts import FactRow
from app.rentals import lock, outcome, owe_premium
from payments.money import Money
from tests.coverage import factories
from tests.coverage.factories import Circle, bind, doing
from tests.rentals.scene import Scene
from tests.rentals.test_ends import done, out

HOUR = 150
"""The premium of the tests' policies for each hour begun."""


def swiss() -> Circle:
    """A circle whose car is insured in CHF, by an insurer of its own."""
    worth = {"amount": 1_500_000, "currency": "CHF"}
    return factories.circle(
        currency="CHF",
        countries=["CH"],
        territory=["CH", "FR"],
        car={"country": "CH", "declared_value": worth},
    )


def worked_off(*rows: Cover) -> None:
    """What the reactions to their versions deferred, as a worker does it."""
    session.rollback()
    for row in rows:
        doing(owe_premium.on_ended, CoverClosed(row.id, row.rental_id, row.version))
        jobs._HANDLERS["owe_premium"](cover=row.id)


def owed(circle: Circle, currency: str = "EUR") -> int:
    session.rollback()
    return insurer_account.owed(circle.policy.insurer_id, currency).amount


def premiums(insurers: list[str]) -> dict[tuple[str, str], int]:
    """By insurer and currency, of the covers as they stand."""
    rows = session.execute(
        select(Cover.insurer_id, Cover.currency, func.sum(Cover.premium))
        .where(Cover.premium > 0, Cover.insurer_id.in_(insurers))
        .group_by(Cover.insurer_id, Cover.currency)
    ).all()
    return {(insurer, currency): int(total or 0) for insurer, currency, total in rows}


def credits_of(insurers: list[str]) -> dict[tuple[str, str], int]:
    """By insurer and currency, what the books credit them with; paying them is no credit."""
    rows = session.execute(
        select(Posting.subject, Posting.currency, func.sum(Posting.amount))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .where(
            Posting.account == ledger.INSURER_PAYABLE,
            LedgerEntry.kind == insurer_account.PREMIUM,
            Posting.subject.in_(insurers),
        )
        .group_by(Posting.subject, Posting.currency)
        .having(func.sum(Posting.amount) != 0)
    ).all()
    return {(str(insurer), currency): -int(total or 0) for insurer, currency, total in rows}


def entries(rental: str) -> list[tuple[str, int]]:
    """What was credited for a rental's cover: under which version, and how much."""
    session.rollback()
    return [
        (entry.source_id.split(":")[1], sum(-one.amount for one in lines if one.subject is not None))
        for entry, lines in ledger.of_rental(rental)
    ]


def test_a_closed_cover_is_owed_for_out_of_the_reserve_also_when_nobody_paid(app: Flask) -> None:
    circle = factories.circle()
    reserve = ledger.balances(ledger.PREMIUM_RESERVE, "EUR").amount
    ended = factories.ended(circle, minutes=90)
    worked_off(ended, ended)
    assert owed(circle) == 2 * HOUR
    assert ledger.balances(ledger.PREMIUM_RESERVE, "EUR").amount == reserve + 2 * HOUR
    assert entries(ended.rental_id) == [(str(ended.version), 2 * HOUR)]


def test_the_lock_of_a_free_rental_leads_to_what_its_insurer_is_owed(scene: Scene) -> None:
    """By the reactions to its facts, as a worker runs them."""
    out(scene)
    clock.forward(timedelta(minutes=30))
    ends = lock.lock(scene.caller(), scene.rental_id, keys_in_glove_box=True)
    outcome.apply(ends.id, done(locked=True))
    closed = cover.of(scene.rental_id)
    assert closed is not None
    assert (closed.state, closed.premium) == ("closed", HOUR)
    told = select(FactRow.seq).where(
        FactRow.data["cover"].astext == closed.id, FactRow.kind == CoverClosed.kind
    )
    for seq in session.scalars(told).all():
        facts.react(seq)
    deferred = text("select args from procrastinate_jobs where task_name = 'owe_premium' and lock = :lock")
    for args in session.execute(deferred, {"lock": f"premium:{closed.id}"}).scalars().all():
        jobs._HANDLERS["owe_premium"](**args)
    session.rollback()
    assert insurer_account.owed(closed.insurer_id, "EUR").amount == HOUR


def test_a_late_record_of_the_box_brings_the_difference_to_the_books(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=60)
    first = ended.version
    worked_off(ended)
    for minutes in (130, 50):
        doing(
            cover.correct, ended.rental_id, ended.from_at + timedelta(minutes=minutes), evidence="box record"
        )
        worked_off(ended)
    assert entries(ended.rental_id) == [
        (str(first), HOUR),
        (str(first + 1), 2 * HOUR),
        (str(first + 2), -2 * HOUR),
    ]
    assert owed(circle) == HOUR


def test_a_version_told_after_a_later_one_changes_nothing(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=60)
    old = CoverClosed(ended.id, ended.rental_id, ended.version)
    doing(cover.correct, ended.rental_id, ended.from_at + timedelta(minutes=130), evidence="box record")
    worked_off(ended)
    doing(owe_premium.on_ended, old)
    jobs._HANDLERS["owe_premium"](cover=ended.id)
    assert entries(ended.rental_id) == [(str(old.version + 1), 3 * HOUR)]


def test_a_version_made_while_the_one_before_is_reckoned_comes_after_it(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=60)
    number, rental, until = ended.id, ended.rental_id, ended.from_at + timedelta(minutes=130)

    def corrects() -> None:
        with app.app_context():
            doing(cover.correct, rental, until, evidence="box record")
            jobs._HANDLERS["owe_premium"](cover=number)
            release()

    @transactional
    def first(pool: ThreadPoolExecutor) -> Future[None]:
        jobs._HANDLERS["owe_premium"](cover=number)
        second = pool.submit(corrects)
        with contextlib.suppress(TimeoutError):
            second.result(0.2)  # it waits, or has not seen what is not committed
        return second

    with ThreadPoolExecutor(1) as pool:
        first(pool).result()
    assert owed(circle) == 3 * HOUR


def test_nothing_is_owed_for_a_cover_whose_doors_never_opened(app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    doing(cover.void, bound.rental_id, bound.from_at, "box")
    worked_off(bound)
    assert (owed(circle), entries(bound.rental_id)) == (0, [])


def test_the_premium_is_owed_in_the_currency_of_the_policy(app: Flask) -> None:
    circle = swiss()
    worked_off(factories.ended(circle, minutes=30))
    assert (owed(circle), owed(circle, "CHF")) == (0, HOUR)


@given(
    rentals=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 600), st.none() | st.integers(1, 900)),
        min_size=1,
        max_size=4,
    )
)
@settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_insurer_is_credited_with_the_premiums_of_its_covers(
    app: Flask, rentals: list[tuple[int, int, int | None]]
) -> None:
    """Rentals of two insurers in two currencies; some ends are corrected by a record of the box."""
    session.rollback()
    circles = factories.circle(), swiss()
    for which, minutes, corrected in rentals:
        ended = factories.ended(circles[which], minutes=minutes)
        if minutes % 2:
            worked_off(ended)
        if corrected is not None:
            later = ended.from_at + timedelta(minutes=min(corrected, minutes + 4))
            doing(cover.correct, ended.rental_id, later, evidence="box record")
            worked_off(ended)
    swept()
    insurers = [one.policy.insurer_id for one in circles]
    assert credits_of(insurers) == premiums(insurers)
    assert all(sum(each.values()) == 0 for each in ledger.trial_balance().values())


def swept() -> None:
    """The hourly round finds what no reaction brought to the books, and workers work it off."""
    session.rollback()
    owe_premium.sweep()
    deferred = text(
        "select distinct args ->> 'cover' from procrastinate_jobs where task_name = 'owe_premium'"
    )
    for found in session.scalars(deferred).all():
        jobs._HANDLERS["owe_premium"](cover=found)
    session.rollback()


def test_covers_of_before_the_reserve_are_swept_up_once(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=90)
    swept()
    assert owed(circle) == 2 * HOUR
    assert doing(owe_premium._unposted) == []
    assert len(entries(ended.rental_id)) == 1


def test_shares_credited_to_insurers_at_large_go_to_the_reserve(app: Flask) -> None:
    old = (
        Line(ledger.STRIPE_CLEARING, Money(700, "GBP")),
        Line(ledger.INSURER_PAYABLE, Money(-700, "GBP")),
    )
    reserve = ledger.balances(ledger.PREMIUM_RESERVE, "GBP").amount
    doing(ledger.post, Entry("capture", "test", new_id("tst"), old))
    for _ in range(2):
        transactional(insurer_account.reserve_old_shares)()
    at_large = select(func.sum(Posting.amount)).where(
        Posting.account == ledger.INSURER_PAYABLE, Posting.subject.is_(None), Posting.currency == "GBP"
    )
    assert session.scalar(at_large) == 0
    assert ledger.balances(ledger.PREMIUM_RESERVE, "GBP").amount == reserve - 700
    session.rollback()


def test_two_at_once_move_old_shares_once_whatever_is_posted_between(app: Flask) -> None:
    def posted() -> None:
        money = Money(700, "CHF")
        old = (Line(ledger.STRIPE_CLEARING, money), Line(ledger.INSURER_PAYABLE, -money))
        doing(ledger.post, Entry("capture", "test", new_id("tst"), old))

    def moves() -> None:
        with app.app_context():
            transactional(insurer_account.reserve_old_shares)()
            release()

    reserve = ledger.balances(ledger.PREMIUM_RESERVE, "CHF").amount
    posted()

    @transactional
    def first(pool: ThreadPoolExecutor) -> Future[None]:
        insurer_account.reserve_old_shares()
        pool.submit(in_app, posted).result()
        second = pool.submit(moves)
        with contextlib.suppress(TimeoutError):
            second.result(0.2)  # it waits, or has not seen what is not committed
        return second

    def in_app(what: Callable[[], None]) -> None:
        with app.app_context():
            what()
            release()

    with ThreadPoolExecutor(2) as pool:
        first(pool).result()
    assert ledger.balances(ledger.PREMIUM_RESERVE, "CHF").amount == reserve - 1400
    session.rollback()


def test_two_workers_at_one_cover_reckon_its_premium_once(app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle, minutes=60)
    cover_id, rental = ended.id, ended.rental_id
    session.rollback()

    def works(_: int) -> None:
        with app.app_context():
            jobs._HANDLERS["owe_premium"](cover=cover_id)
            release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(works, range(4)))
        doing(cover.correct, rental, ended.from_at + timedelta(minutes=62), evidence="box record")
        list(pool.map(works, range(4)))
    assert [amount for _, amount in entries(rental)] == [HOUR, HOUR]
