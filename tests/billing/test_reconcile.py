"""The report of differences: both sides of each, kept while it stands, printed for who asks."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text

from app.billing import bank, commands, compare, differences, reconcile
from app.billing.differences import Difference, PaymentDifference
from app.billing.models import PaymentCommand, ProviderCursor
from app.kit import clock
from app.kit.db import release, session, transactional
from app.kit.errors import StepNotAllowed
from payments.money import Money
from payments.stripe_gateway import StripeGateway
from tests.billing.desk import Desk, eur


@pytest.fixture
def by_hand(desk: Desk) -> Iterator[StripeGateway]:
    """Somebody at the provider's dashboard."""
    made = StripeGateway("sk_test_double", base_url=desk.double.url, retries=0)
    yield made
    made.close()


def found(kind: str, *subjects: str | None) -> list[Difference]:
    release()
    report = reconcile.run()
    release()
    return [one for one in report if one.kind == kind and one.subject in subjects]


def test_a_refund_made_by_hand_is_reported_until_our_books_know_it(
    desk: Desk, by_hand: StripeGateway
) -> None:
    desk.owner()
    rental = desk.captured(8000)
    row = desk.payment(rental)
    made = by_hand.refund(str(row.intent_id), eur(300), key="by hand")
    (refund,) = found("refund_not_ours", made.id)
    assert (refund.ours, refund.theirs, refund.money, refund.mended) == (None, "succeeded", eur(300), False)
    (amount,) = found("refunded", row.id)
    assert (amount.ours, amount.theirs, amount.money) == ("0", "300", eur(-300))


def test_a_refund_that_only_we_know_is_reported(desk: Desk) -> None:
    desk.owner()
    row = desk.payment(desk.captured(8000))
    session.execute(
        text(
            "insert into payment_commands (id, kind, payment_id, amount, currency, target, params, params_hash, key,"
            " state, tries, object_id, by, made_at)"
            " values (gen_random_uuid(), 'refund', cast(:payment as uuid), 5, 'EUR', 'pi', '{}', '', 'refund:lost',"
            " 'done', 1, 're_lost', 'system', business_now())"
        ),
        {"payment": row.id.removeprefix("pay_")},
    )
    session.commit()
    try:
        (only,) = found("refund", "re_lost")
        assert (only.ours, only.theirs, only.money) == ("done", None, eur(5))
    finally:
        session.execute(text("delete from payment_commands where key = 'refund:lost'"))
        session.commit()


@transactional
def change_sent(external: str | None, by: int) -> None:
    row = session.scalars(select(PaymentCommand).where(PaymentCommand.object_id == external)).one()
    row.amount = (row.amount or 0) + by


def test_a_transfer_that_differs_is_reported_with_what_is_left_on_each_side(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    external = desk.transfer(rental).external_id
    change_sent(external, -100)
    (one,) = found("transfer", external)
    assert (one.ours, one.theirs, one.money) == ("5900 - 0", "6000 - 0", eur(-100))
    change_sent(external, 100)
    assert found("transfer", external) == []


def test_a_dispute_nobody_told_us_of_is_reported(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    made = desk.double.post("disputes/open", charge=desk.payment(rental).charge_id)["id"]
    (one,) = found("dispute", made)
    assert (one.ours, one.theirs, one.money) == (None, "open", eur(8000))
    assert desk.jobs() == []  # its event was fetched with the comparison
    assert found("dispute", made) == []


def test_the_balance_is_compared_once_nothing_is_on_its_way(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.double.post("fault", next="500", path="/capture")
    assert len(desk.end(rental, 8000)) == 1
    assert compare._balance([Money(10**9, "CHF")]) == []
    assert desk.jobs() == []
    ours = compare._clearing()
    assert compare.balances_apart(ours, ours) == []
    theirs = [one + Money(7, one.currency) for one in ours]
    assert [(one.kind, one.money) for one in compare.balances_apart(ours, theirs)] == [
        ("balance", Money(-7, one.currency)) for one in sorted(ours, key=lambda each: each.currency)
    ]


def apart() -> int:
    """By how much the books have more euros at the provider than it has; other tests' refunds by hand are among it."""
    release()
    both = compare.balances_apart(compare._clearing(), commands.door().balance())
    release()
    return sum(one.money.amount for one in both if one.subject == "EUR" and one.money is not None)


def test_a_payout_to_our_bank_is_a_difference_until_it_is_posted_and_none_after(desk: Desk) -> None:
    desk.captured(8000)
    desk.stands(1000)
    before = apart()
    made = desk.double.post("payouts/make", amount=1000)["id"]
    assert apart() == before + 1000
    for _ in range(2):
        transactional(bank.provider_paid_out)(eur(1000), made)
    assert apart() == before
    desk.double.post("payouts/fail", payout=made)
    assert apart() == before - 1000
    for _ in range(2):
        transactional(bank.provider_payout_failed)(eur(1000), made)
    assert apart() == before


def test_a_fee_of_no_single_charge_is_a_difference_until_it_is_posted(desk: Desk) -> None:
    before = apart()
    made = desk.double.post("balance/fee", amount=200)["id"]
    assert apart() == before + 200
    for _ in range(2):
        transactional(bank.provider_fee)(eur(200), made)
    assert apart() == before


def test_what_the_provider_keeps_back_for_owners_accounts_still_lies_there(desk: Desk) -> None:
    before = apart()
    desk.double.post("balance/reserve", amount=700)
    assert apart() == before
    desk.double.post("balance/reserve", amount=0)


def test_a_payout_that_is_in_no_book_cannot_come_back(desk: Desk) -> None:
    with pytest.raises(StepNotAllowed, match="No payout po_unheard_of"):
        transactional(bank.provider_payout_failed)(eur(1000), "po_unheard_of")


def test_what_the_provider_settles_in_another_currency_is_reported_and_its_fee_not_posted(desk: Desk) -> None:
    under_way = compare._under_way()
    rental = desk.held(9000)
    desk.double.post("balance/settles", currency="eur", into="gbp")
    try:
        assert desk.end(rental, 8000) == []
    finally:
        desk.double.post("balance/settles", currency="eur", into="eur")
    payment = desk.payment(rental).id
    assert "processor_fees" not in desk.books(rental)
    (first,) = [one for one in differences.standing() if one.subject == payment]
    assert (first.kind, first.ours, first.theirs, first.amount) == ("settled_elsewhere", "EUR", "GBP", 145)
    release()
    assert compare._under_way() == under_way  # its fee is not waited for
    for _ in range(2):
        (one,) = found("settled_elsewhere", payment)
        assert (one.ours, one.theirs, one.mended) == ("EUR", "GBP", False)
    desk.forward(compare.LOOK_BACK)
    assert found("settled_elsewhere", payment) == []


def test_a_hold_that_should_have_been_renewed_is_reported_and_one_that_ends_within_a_day_is_named(
    desk: Desk,
) -> None:
    row = desk.payment(desk.held(9000, hours=2))
    assert row.capture_before is not None
    near = row.capture_before - timedelta(hours=23)
    late = row.capture_before - timedelta(hours=10)
    assert row.id in [one.id for one in compare.holds_ending(near)]
    assert row.id not in [one.subject for one in compare._holds_forgotten(near)]
    assert row.id in [one.subject for one in compare._holds_forgotten(late)]


def test_what_stands_is_kept_until_a_whole_comparison_no_longer_finds_it(desk: Desk) -> None:
    one = Difference("captured", "pay_x", "1", "2", eur(-1))
    mended = Difference("state", "pay_y", "held", "captured", mended=True)
    differences.keep([one, mended], whole=False)
    (row,) = [each for each in differences.standing() if each.subject in ("pay_x", "pay_y")]
    assert (row.kind, row.amount, row.currency) == ("captured", -1, "EUR")
    first = row.first_at
    release()
    differences.keep([one], whole=True)
    (row,) = [each for each in differences.standing() if each.subject == "pay_x"]
    assert row.first_at == first
    release()
    differences.keep([], whole=False)
    assert "pay_x" in [each.subject for each in differences.standing()]
    release()
    differences.keep([], whole=True)
    assert differences.standing() == []


@transactional
def last_whole(hours_ago: float) -> None:
    row = session.get_one(ProviderCursor, reconcile.WHOLE)
    row.at = clock.now() - timedelta(hours=hours_ago)
    session.execute(delete(PaymentDifference))


def test_the_whole_comparison_is_made_once_a_night_and_again_while_something_differs(desk: Desk) -> None:
    reconcile.run()
    last_whole(0)
    assert not reconcile._is_night()
    last_whole(24)
    assert reconcile._is_night()
    last_whole(0)
    differences.keep([Difference("captured", "pay_x", "1", "2")], whole=False)
    assert reconcile._is_night()
    differences.keep([], whole=True)
    desk.jobs()


def test_the_first_comparison_fetches_every_event_that_the_provider_still_has(desk: Desk) -> None:
    del desk
    now = clock.now()
    kept = session.get_one(ProviderCursor, reconcile.EVENTS).at
    session.execute(delete(ProviderCursor).where(ProviderCursor.name == reconcile.EVENTS))
    session.commit()
    assert reconcile._since(now) == now - timedelta(days=30)
    reconcile._advance(reconcile.EVENTS, kept)
    assert reconcile._since(now) == kept


def test_the_command_prints_both_sides_and_says_so_by_its_exit_status(
    desk: Desk, by_hand: StripeGateway
) -> None:
    desk.owner()
    row = desk.payment(desk.captured(8000))
    made = by_hand.refund(str(row.intent_id), eur(300), key="by hand, too")
    told = desk.app.test_cli_runner().invoke(args=["reconcile"])
    assert told.exit_code == 1
    (line,) = [
        one for one in told.output.splitlines() if one.startswith("refund_not_ours") and made.id in one
    ]
    assert line.split() == ["refund_not_ours", made.id, "-", "succeeded", "300", "EUR", "no"]
    assert session.scalar(select(PaymentDifference.theirs).where(PaymentDifference.subject == made.id))


def test_without_a_difference_the_table_is_one_line() -> None:
    assert list(differences.table([])) == ["nothing differs"]
